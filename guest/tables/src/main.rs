//! Writes the tables of the filter and of the compiler where they are read.
//!
//! ```text
//! cargo fold-table                                                               the fold and the sounds
//! cargo fold-table JIEBA_DICT ENGLISH_WORDS SMS BOOKS CJK_DECOMP STOPWORDS       words and parts of characters as well
//! ```

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let guest = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../src"));
    fs::write(guest.join("fold.bin"), tamis_tables::fold_table())?;
    fs::write(guest.join("syllables.txt"), tamis_tables::syllables())?;
    fs::write(guest.join("compile/sounds.bin"), tamis_tables::sounds())?;
    let sources: Vec<_> = std::env::args_os().skip(1).collect();
    match &sources[..] {
        [] => Ok(()),
        [chinese, english, sms, books, decompositions, stopwords] => {
            let [chinese, english, sms, books, decompositions, stopwords] =
                [chinese, english, sms, books, decompositions, stopwords].map(fs::read_to_string);
            fs::write(guest.join("compile/short.txt"), tamis_tables::short(&stopwords?))?;
            let (chinese, decompositions, sms, books) = (chinese?, decompositions?, sms?, books?);
            fs::write(guest.join("compile/common.txt"), tamis_tables::common(&[&sms, &books]))?;
            let texts = sms + &books;
            fs::write(guest.join("compile/ordinary.bin"), tamis_tables::ordinary(&chinese, &english?, &texts))?;
            fs::write(guest.join("compile/parts.bin"), tamis_tables::parts(&decompositions))?;
            fs::write(guest.join("splits.bin"), tamis_tables::splits(&chinese, &decompositions))
        }
        _ => Err(io::Error::other(
            "give six files: jieba's dict.txt, a list of English words, plain SMS, plain books, cjk_decomp.txt, stopwords-iso.json",
        )),
    }
}
