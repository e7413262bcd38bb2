// Made by web/build.mjs from web/src.
Web {
    icon: "icon-d333d6a0.svg",
    files: &[
        File { name: "_commonjsHelpers-Cpj98o6Y.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("_commonjsHelpers-Cpj98o6Y.js"), gzip: None },
        File { name: "app-CrknQRTQ.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("app-CrknQRTQ.js"), gzip: Some(include_bytes!("app-CrknQRTQ.js.gz")) },
        File { name: "app-oHk1G39K.css", content_type: "text/css; charset=utf-8", bytes: include_bytes!("app-oHk1G39K.css"), gzip: Some(include_bytes!("app-oHk1G39K.css.gz")) },
        File { name: "deliveries-hlELsM5B.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("deliveries-hlELsM5B.js"), gzip: Some(include_bytes!("deliveries-hlELsM5B.js.gz")) },
        File { name: "docs-C21RoOCv.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("docs-C21RoOCv.js"), gzip: Some(include_bytes!("docs-C21RoOCv.js.gz")) },
        File { name: "engine-DaX7Pt1V.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("engine-DaX7Pt1V.js"), gzip: Some(include_bytes!("engine-DaX7Pt1V.js.gz")) },
        File { name: "format-DYO4OtqD.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("format-DYO4OtqD.js"), gzip: Some(include_bytes!("format-DYO4OtqD.js.gz")) },
        File { name: "icon-d333d6a0.svg", content_type: "image/svg+xml", bytes: include_bytes!("icon-d333d6a0.svg"), gzip: None },
        File { name: "page-0DxmEhxd.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("page-0DxmEhxd.js"), gzip: Some(include_bytes!("page-0DxmEhxd.js.gz")) },
        File { name: "page-BhMxexI0.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("page-BhMxexI0.js"), gzip: Some(include_bytes!("page-BhMxexI0.js.gz")) },
        File { name: "play-By64qu4C.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("play-By64qu4C.js"), gzip: Some(include_bytes!("play-By64qu4C.js.gz")) },
        File { name: "player-CFYJVnm9.css", content_type: "text/css; charset=utf-8", bytes: include_bytes!("player-CFYJVnm9.css"), gzip: Some(include_bytes!("player-CFYJVnm9.css.gz")) },
        File { name: "player-ojEgdAMl.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("player-ojEgdAMl.js"), gzip: Some(include_bytes!("player-ojEgdAMl.js.gz")) },
        File { name: "shaka-player.ui-es2021-Cvd0N9dZ.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("shaka-player.ui-es2021-Cvd0N9dZ.js"), gzip: Some(include_bytes!("shaka-player.ui-es2021-Cvd0N9dZ.js.gz")) },
        File { name: "state-CD5Jh9g3.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("state-CD5Jh9g3.js"), gzip: None },
        File { name: "watch-BUhGxOGw.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("watch-BUhGxOGw.js"), gzip: None },
        File { name: "watch-BlZm1Ygb.css", content_type: "text/css; charset=utf-8", bytes: include_bytes!("watch-BlZm1Ygb.css"), gzip: Some(include_bytes!("watch-BlZm1Ygb.css.gz")) },
    ],
    pages: &[
        ("app", Page { script: "app-CrknQRTQ.js", styles: &["app-oHk1G39K.css"], next: &["format-DYO4OtqD.js"] }),
        ("watch", Page { script: "watch-BUhGxOGw.js", styles: &["player-CFYJVnm9.css", "watch-BlZm1Ygb.css"], next: &["_commonjsHelpers-Cpj98o6Y.js", "format-DYO4OtqD.js", "play-By64qu4C.js", "player-ojEgdAMl.js", "shaka-player.ui-es2021-Cvd0N9dZ.js", "state-CD5Jh9g3.js"] }),
    ],
}
