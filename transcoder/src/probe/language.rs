//! Languages as files name them (ISO 639-2), as players want them (BCP 47). Pure.

/// The two-letter codes of languages that have one, by both kinds of three-letter codes.
#[rustfmt::skip]
const SHORT: &[(&str, &str)] = &[
    ("afr", "af"), ("alb", "sq"), ("amh", "am"), ("ara", "ar"), ("arm", "hy"), ("aze", "az"), ("baq", "eu"),
    ("bel", "be"), ("ben", "bn"), ("bos", "bs"), ("bul", "bg"), ("bur", "my"), ("cat", "ca"), ("ces", "cs"),
    ("chi", "zh"), ("cym", "cy"), ("cze", "cs"), ("dan", "da"), ("deu", "de"), ("dut", "nl"), ("ell", "el"),
    ("eng", "en"), ("epo", "eo"), ("est", "et"), ("eus", "eu"), ("fao", "fo"), ("fas", "fa"), ("fin", "fi"),
    ("fra", "fr"), ("fre", "fr"), ("geo", "ka"), ("ger", "de"), ("gle", "ga"), ("glg", "gl"), ("gre", "el"),
    ("guj", "gu"), ("heb", "he"), ("hin", "hi"), ("hrv", "hr"), ("hun", "hu"), ("hye", "hy"), ("ice", "is"),
    ("ind", "id"), ("isl", "is"), ("ita", "it"), ("jav", "jv"), ("jpn", "ja"), ("kan", "kn"), ("kat", "ka"),
    ("kaz", "kk"), ("khm", "km"), ("kor", "ko"), ("kur", "ku"), ("lao", "lo"), ("lat", "la"), ("lav", "lv"),
    ("lit", "lt"), ("ltz", "lb"), ("mac", "mk"), ("mal", "ml"), ("mar", "mr"), ("may", "ms"), ("mkd", "mk"),
    ("mlt", "mt"), ("mon", "mn"), ("msa", "ms"), ("mya", "my"), ("nep", "ne"), ("nld", "nl"), ("nno", "nn"),
    ("nob", "nb"), ("nor", "no"), ("pan", "pa"), ("per", "fa"), ("pol", "pl"), ("por", "pt"), ("pus", "ps"),
    ("ron", "ro"), ("rum", "ro"), ("rus", "ru"), ("sin", "si"), ("slk", "sk"), ("slo", "sk"), ("slv", "sl"),
    ("som", "so"), ("spa", "es"), ("sqi", "sq"), ("srp", "sr"), ("swa", "sw"), ("swe", "sv"), ("tam", "ta"),
    ("tel", "te"), ("tgl", "tl"), ("tha", "th"), ("tib", "bo"), ("tur", "tr"), ("ukr", "uk"), ("urd", "ur"),
    ("uzb", "uz"), ("vie", "vi"), ("wel", "cy"), ("yid", "yi"), ("zho", "zh"), ("zul", "zu"),
];

/// The BCP 47 tag for what a file says; `None` for what says nothing.
pub(super) fn bcp47(text: &str) -> Option<String> {
    let text = text.trim().replace('_', "-");
    let mut parts = text.split('-');
    let first = parts.next()?.to_ascii_lowercase();
    let well_formed = (2..=8).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_lowercase());
    let rest_is =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    if !well_formed || !parts.clone().all(rest_is) || text.len() > 35 {
        return None;
    }
    if matches!(first.as_str(), "und" | "mis" | "mul" | "zxx" | "qaa") {
        return None;
    }
    let short = SHORT.iter().find(|(long, _)| *long == first).map_or(first.as_str(), |(_, short)| short);
    Some(parts.fold(short.to_owned(), |tag, part| tag + "-" + part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_named_as_players_want_them() {
        for (said, tag) in [
            ("eng", Some("en")),
            ("ger", Some("de")),
            ("deu", Some("de")),
            ("fil", Some("fil")),
            ("en", Some("en")),
            ("en-US", Some("en-US")),
            ("pt_BR", Some("pt-BR")),
            ("ENG", Some("en")),
            ("und", None),
            ("", None),
            ("e", None),
            ("\u{0}\u{0}\u{0}", None),
            ("en-\"evil\"", None),
        ] {
            assert_eq!(bcp47(said).as_deref(), tag, "{said}");
        }
    }
}
