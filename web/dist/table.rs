// Made by web/build.mjs from web/src.
Web {
    icon: "icon-d333d6a0.svg",
    files: &[
        File { name: "_commonjsHelpers-Cpj98o6Y.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("_commonjsHelpers-Cpj98o6Y.js"), gzip: None },
        File { name: "app-B9OCJtdf.css", content_type: "text/css; charset=utf-8", bytes: include_bytes!("app-B9OCJtdf.css"), gzip: Some(include_bytes!("app-B9OCJtdf.css.gz")) },
        File { name: "app-DgKtcmaA.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("app-DgKtcmaA.js"), gzip: Some(include_bytes!("app-DgKtcmaA.js.gz")) },
        File { name: "deliveries-DMPWSDiX.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("deliveries-DMPWSDiX.js"), gzip: Some(include_bytes!("deliveries-DMPWSDiX.js.gz")) },
        File { name: "docs-BSPli-Aa.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("docs-BSPli-Aa.js"), gzip: Some(include_bytes!("docs-BSPli-Aa.js.gz")) },
        File { name: "engine-B-HAev_u.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("engine-B-HAev_u.js"), gzip: Some(include_bytes!("engine-B-HAev_u.js.gz")) },
        File { name: "format-DYO4OtqD.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("format-DYO4OtqD.js"), gzip: Some(include_bytes!("format-DYO4OtqD.js.gz")) },
        File { name: "icon-d333d6a0.svg", content_type: "image/svg+xml", bytes: include_bytes!("icon-d333d6a0.svg"), gzip: None },
        File { name: "page-BwgKlWVc.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("page-BwgKlWVc.js"), gzip: Some(include_bytes!("page-BwgKlWVc.js.gz")) },
        File { name: "page-CVZW6HF7.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("page-CVZW6HF7.js"), gzip: Some(include_bytes!("page-CVZW6HF7.js.gz")) },
        File { name: "play-By64qu4C.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("play-By64qu4C.js"), gzip: Some(include_bytes!("play-By64qu4C.js.gz")) },
        File { name: "player-CFYJVnm9.css", content_type: "text/css; charset=utf-8", bytes: include_bytes!("player-CFYJVnm9.css"), gzip: Some(include_bytes!("player-CFYJVnm9.css.gz")) },
        File { name: "player-ojEgdAMl.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("player-ojEgdAMl.js"), gzip: Some(include_bytes!("player-ojEgdAMl.js.gz")) },
        File { name: "shaka-player.ui-es2021-Cvd0N9dZ.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("shaka-player.ui-es2021-Cvd0N9dZ.js"), gzip: Some(include_bytes!("shaka-player.ui-es2021-Cvd0N9dZ.js.gz")) },
        File { name: "state-CD5Jh9g3.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("state-CD5Jh9g3.js"), gzip: None },
        File { name: "watch-BUhGxOGw.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("watch-BUhGxOGw.js"), gzip: None },
        File { name: "watch-BlZm1Ygb.css", content_type: "text/css; charset=utf-8", bytes: include_bytes!("watch-BlZm1Ygb.css"), gzip: Some(include_bytes!("watch-BlZm1Ygb.css.gz")) },
    ],
    pages: &[
        ("app", Page { script: "app-DgKtcmaA.js", styles: &["app-B9OCJtdf.css"], next: &["format-DYO4OtqD.js"] }),
        ("watch", Page { script: "watch-BUhGxOGw.js", styles: &["player-CFYJVnm9.css", "watch-BlZm1Ygb.css"], next: &["_commonjsHelpers-Cpj98o6Y.js", "format-DYO4OtqD.js", "play-By64qu4C.js", "player-ojEgdAMl.js", "shaka-player.ui-es2021-Cvd0N9dZ.js", "state-CD5Jh9g3.js"] }),
    ],
}
