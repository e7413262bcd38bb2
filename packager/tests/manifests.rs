//! The manifests' texts, word for word.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use support::parts::{part, pictures, sound};
use tidegate_packager::{Manifest, manifests};
use tidegate_wire::job::{PackageWork, TextTrack};

/// Ten seconds in two rungs of two chunks, two languages, subtitles.
fn film() -> PackageWork {
    let mut parts = vec![
        part("v720", 1, pictures(1280, 720), 240, &[(60, 300_000)]),
        part("v720", 0, pictures(1280, 720), 0, &[(120, 1_000_000), (120, 800_000)]),
        part("v360", 0, pictures(640, 360), 0, &[(120, 400_000), (120, 300_000)]),
        part("v360", 1, pictures(640, 360), 240, &[(60, 100_000)]),
    ];
    let tone: &[_] = &[(192_512, 64_000), (191_488, 64_000), (96_000, 32_000)];
    parts.push(part("a1", 0, sound(Some("fr"), Some("Commentaire \"live\" <&>\n#EXT")), 0, tone));
    parts.push(part("a0", 0, sound(Some("en"), None), 0, tone));
    let text = |track: &str, label: &str| TextTrack {
        track: track.into(),
        path: format!("14-1/{track}.vtt"),
        language: "en".into(),
        label: label.into(),
    };
    PackageWork {
        parts,
        texts: vec![text("t0", "English"), text("t1", "English")],
        chunks: 2,
        encrypted: false,
    }
}

fn named<'a>(all: &'a [Manifest], name: &str) -> &'a str {
    let found = all.iter().find(|manifest| manifest.name == name).unwrap_or_else(|| panic!("no {name}"));
    std::str::from_utf8(&found.bytes).unwrap()
}

#[test]
fn the_master_says_what_each_rung_really_costs() {
    let all = manifests(&film()).unwrap();
    // 1 MB in 4 s is 2 Mbit/s, and 64 kB of sound in 3.989 s add 128,343 bit/s; on average 2.1 MB and 160 kB in 10 s.
    assert_eq!(
        named(&all, "master.m3u8"),
        "#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"en\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"a0.m3u8\"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Commentaire 'live' <&> #EXT\",LANGUAGE=\"fr\",DEFAULT=NO,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"a1.m3u8\"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI=\"t0.m3u8\"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"English 2\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=NO,FORCED=NO,URI=\"t1.m3u8\"
#EXT-X-STREAM-INF:BANDWIDTH=928343,AVERAGE-BANDWIDTH=768000,CODECS=\"avc1.64001e,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=30.000,AUDIO=\"audio\",SUBTITLES=\"text\",CLOSED-CAPTIONS=NONE
v360.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2128343,AVERAGE-BANDWIDTH=1808000,CODECS=\"avc1.64001e,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO=\"audio\",SUBTITLES=\"text\",CLOSED-CAPTIONS=NONE
v720.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=8000,CODECS=\"avc1.64001e\",RESOLUTION=640x360,URI=\"v360-iframes.m3u8\"
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=8000,CODECS=\"avc1.64001e\",RESOLUTION=1280x720,URI=\"v720-iframes.m3u8\"
"
    );
}

#[test]
fn a_media_playlist_names_the_stored_paths_of_all_chunks() {
    let all = manifests(&film()).unwrap();
    assert_eq!(
        named(&all, "v720.m3u8"),
        "#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:EVENT
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI=\"10-1/v720/init.mp4\"
#EXTINF:4.000000,
10-1/v720/00000.m4s
#EXTINF:4.000000,
10-1/v720/00001.m4s
#EXTINF:2.000000,
11-1/v720/00000.m4s
#EXT-X-ENDLIST
"
    );
    assert_eq!(
        named(&all, "v360-iframes.m3u8"),
        "#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-I-FRAMES-ONLY
#EXT-X-MAP:URI=\"10-1/v360/init.mp4\"
#EXTINF:2.000000,
#EXT-X-BYTERANGE:1000@24
10-1/v360/00000.m4s
#EXTINF:2.000000,
#EXT-X-BYTERANGE:800@200000
10-1/v360/00000.m4s
#EXTINF:2.000000,
#EXT-X-BYTERANGE:1000@24
10-1/v360/00001.m4s
#EXTINF:2.000000,
#EXT-X-BYTERANGE:800@150000
10-1/v360/00001.m4s
#EXTINF:1.000000,
#EXT-X-BYTERANGE:1000@24
11-1/v360/00000.m4s
#EXTINF:1.000000,
#EXT-X-BYTERANGE:800@50000
11-1/v360/00000.m4s
#EXT-X-ENDLIST
"
    );
    assert_eq!(
        named(&all, "t0.m3u8"),
        "#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:10
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXTINF:10.000000,
14-1/t0.vtt
#EXT-X-ENDLIST
"
    );
}

#[test]
fn durations_add_up_to_the_microsecond() {
    let mut work = film();
    work.parts.retain(|part| part.track == "a0");
    work.parts = vec![part("a0", 0, sound(None, None), 0, &[(187 * 1024 + 1, 64_000); 500])];
    let all = manifests(&work).unwrap();
    let durations = named(&all, "a0.m3u8").lines().filter_map(|line| line.strip_prefix("#EXTINF:"));
    let sum: u64 =
        durations.map(|text| text.trim_end_matches(',').replace('.', "").parse::<u64>().unwrap()).sum();
    assert_eq!(sum, (187 * 1024 + 1) * 500 * 1_000_000 / 48_000);
}

#[test]
fn the_mpd_has_a_list_for_chunks_and_a_template_for_what_is_in_one_place() {
    let all = manifests(&film()).unwrap();
    let mpd = named(&all, "manifest.mpd");
    let v720 = r#"      <Representation id="v720" bandwidth="2000000" codecs="avc1.64001e" width="1280" height="720" frameRate="30" sar="1:1">
        <SegmentList timescale="30">
          <Initialization sourceURL="10-1/v720/init.mp4"/>
          <SegmentTimeline>
            <S t="0" d="120"/>
            <S t="120" d="120"/>
            <S t="240" d="60"/>
          </SegmentTimeline>
          <SegmentURL media="10-1/v720/00000.m4s"/>
          <SegmentURL media="10-1/v720/00001.m4s"/>
          <SegmentURL media="11-1/v720/00000.m4s"/>
        </SegmentList>
      </Representation>
"#;
    assert!(mpd.contains(v720), "{mpd}");
    let french = r#"    <AdaptationSet id="2" contentType="audio" mimeType="audio/mp4" lang="fr" segmentAlignment="true" startWithSAP="1">
      <Label>Commentaire &quot;live&quot; &lt;&amp;&gt; #EXT</Label>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="alternate"/>
      <Representation id="a1" bandwidth="128343" codecs="mp4a.40.2" audioSamplingRate="48000">
        <AudioChannelConfiguration schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011" value="2"/>
        <SegmentTemplate timescale="48000" startNumber="0" initialization="10-1/a1/init.mp4" media="10-1/a1/$Number%05d$.m4s">
          <SegmentTimeline>
            <S t="0" d="192512"/>
            <S t="192512" d="191488"/>
            <S t="384000" d="96000"/>
          </SegmentTimeline>
        </SegmentTemplate>
      </Representation>
    </AdaptationSet>
"#;
    assert!(mpd.contains(french), "{mpd}");
    assert!(mpd.contains(r#"type="static" mediaPresentationDuration="PT10.000000S""#));
    assert!(mpd.contains("<BaseURL>14-1/t0.vtt</BaseURL>"));
}

#[test]
fn encrypted_segments_have_a_key_behind_the_map_and_neither_byte_ranges_nor_dash() {
    let mut work = film();
    work.encrypted = true;
    let all = manifests(&work).unwrap();
    assert!(all.iter().all(|manifest| !manifest.name.contains("iframes") && manifest.name != "manifest.mpd"));
    assert!(!named(&all, "master.m3u8").contains("I-FRAME"));
    for name in ["v720.m3u8", "a1.m3u8"] {
        let lines: Vec<_> = named(&all, name).lines().collect();
        let map = lines.iter().position(|line| line.starts_with("#EXT-X-MAP")).unwrap();
        assert_eq!(lines[map + 1], "#EXT-X-KEY:METHOD=AES-128,URI=\"key\"");
    }
}

#[test]
fn a_silent_film_and_sound_alone_have_no_groups() {
    let mut silent = film();
    silent.texts.clear();
    silent.parts.retain(|part| part.track == "v360");
    let all = manifests(&silent).unwrap();
    assert!(named(&all, "master.m3u8").contains(
        "#EXT-X-STREAM-INF:BANDWIDTH=800000,AVERAGE-BANDWIDTH=640000,CODECS=\"avc1.64001e\",RESOLUTION=640x360,\
         FRAME-RATE=30.000,CLOSED-CAPTIONS=NONE\nv360.m3u8\n"
    ));
    assert!(!named(&all, "master.m3u8").contains("EXT-X-MEDIA:"));
    let mut alone = film();
    alone.texts.clear();
    alone.parts.retain(|part| part.track == "a0");
    let all = manifests(&alone).unwrap();
    assert_eq!(
        named(&all, "master.m3u8"),
        "#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=128343,AVERAGE-BANDWIDTH=128000,CODECS=\"mp4a.40.2\",CLOSED-CAPTIONS=NONE
a0.m3u8
"
    );
    assert!(!named(&all, "manifest.mpd").contains("video"));
}

#[test]
fn a_short_last_segment_is_no_peak_by_itself() {
    let mut work = film();
    let v360 = part("v360", 0, pictures(640, 360), 0, &[(120, 400_000), (120, 300_000), (1, 100_000)]);
    (work.parts, work.texts, work.chunks) = (vec![v360], Vec::new(), 1);
    let all = manifests(&work).unwrap();
    // The last two together are 400 kB in 4.03 s; alone the last frame would be 24 Mbit/s.
    assert!(named(&all, "master.m3u8").contains("BANDWIDTH=800000,"));
}

#[test]
fn no_two_renditions_of_a_group_share_a_name() {
    let mut work = film();
    work.texts.clear();
    work.parts.retain(|part| part.track.starts_with('v'));
    for track in ["a0", "a1", "a2"] {
        let label = Some("Stereo").filter(|_| track != "a2");
        work.parts.push(part(track, 0, sound(None, label), 0, &[(480_000, 160_000)]));
    }
    let all = manifests(&work).unwrap();
    let master = named(&all, "master.m3u8");
    for (name, rest) in [("Stereo", "YES"), ("Stereo 2", "NO"), ("Audio 3", "NO")] {
        assert!(master.contains(&format!("NAME=\"{name}\",DEFAULT={rest},AUTOSELECT={rest},")), "{master}");
    }
}
