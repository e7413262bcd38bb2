// Made by web/build.mjs from web/src.
Web {
    icon: "icon-D333D6A0.svg",
    files: &[
        File { name: "chunk-6ATBPRIA.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("chunk-6ATBPRIA.js"), gzip: None },
        File { name: "icon-D333D6A0.svg", content_type: "image/svg+xml", bytes: include_bytes!("icon-D333D6A0.svg"), gzip: None },
        File { name: "shaka-player.ui-es2021-DJIVIUVM.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("shaka-player.ui-es2021-DJIVIUVM.js"), gzip: Some(include_bytes!("shaka-player.ui-es2021-DJIVIUVM.js.gz")) },
        File { name: "watch-3HYWNUQA.css", content_type: "text/css; charset=utf-8", bytes: include_bytes!("watch-3HYWNUQA.css"), gzip: Some(include_bytes!("watch-3HYWNUQA.css.gz")) },
        File { name: "watch-EXZBC5ZI.js", content_type: "text/javascript; charset=utf-8", bytes: include_bytes!("watch-EXZBC5ZI.js"), gzip: Some(include_bytes!("watch-EXZBC5ZI.js.gz")) },
    ],
    pages: &[
        ("watch", Page { script: "watch-EXZBC5ZI.js", style: "watch-3HYWNUQA.css", next: &["chunk-6ATBPRIA.js", "shaka-player.ui-es2021-DJIVIUVM.js"] }),
    ],
}
