//! The work of a scan grows with the length of a text and with nothing else, whatever the text. Work is counted,
//! not timed: instructions of the filter module that ran, which are the same on every machine. Each family of
//! [`adversary`](tamis_tests::adversary) has its bound, in works of plain text of the same length.

use std::collections::BTreeMap;

use tamis_guest::wire::{IN_BYTES, OUT_BYTES, OUT_HEADER, write_batch};
use tamis_guest::{Message, Pack, PackBytes, Policy};
use tamis_tests::adversary::{FAMILIES, Family, Shape, plain_han, plain_text, shapes};
use wasmtime::{Config, Engine, Instance, Memory, MemoryType, Module, Store, TypedFunc};

/// How long the texts are.
const TEXT_BYTES: usize = 64 << 10;
/// How many texts there are.
const TEXTS: usize = 1000;
/// Bytes of a WebAssembly page.
const PAGE_BYTES: usize = 64 << 10;

/// A filter whose instructions are counted.
struct Meter {
    store: Store<()>,
    memory: Memory,
    scan: TypedFunc<(u32, u32), i32>,
    areas: (usize, usize),
}

impl Meter {
    fn engine() -> (Engine, Module) {
        let mut config = Config::new();
        config.consume_fuel(true);
        let engine = Engine::new(&config).expect("this machine runs sandboxes");
        let module = Module::new(&engine, tamis_host::default_module()).expect("the shipped module is good");
        (engine, module)
    }

    fn new(engine: &Engine, module: &Module, pack: &[u8]) -> Meter {
        let mut store = Store::new(engine, ());
        store.set_fuel(u64::MAX).expect("fuel is counted");
        let import = module.imports().next().expect("the filter imports its memory");
        let pages = usize::try_from(import.ty().unwrap_memory().minimum()).expect("few pages");
        let all_pages = u32::try_from(pages + pack.len().div_ceil(PAGE_BYTES)).expect("few pages");
        let memory = Memory::new(&mut store, MemoryType::new(all_pages, None)).expect("memory");
        memory.write(&mut store, pages * PAGE_BYTES, pack).expect("room for the pack");
        let filter = Instance::new(&mut store, module, &[memory.into()]).expect("the filter starts");
        let areas = filter.get_typed_func::<(), u64>(&mut store, "tamis_areas").expect("exported");
        let init = filter.get_typed_func::<(u32, u32, u32), i32>(&mut store, "tamis_init").expect("exported");
        let scan = filter.get_typed_func::<(u32, u32), i32>(&mut store, "tamis_scan").expect("exported");
        let areas = areas.call(&mut store, ()).expect("areas");
        let areas = ((areas >> 32) as usize, (areas & 0xFFFF_FFFF) as usize);
        let bytes = PackBytes::from(pack);
        let table = Policy::blocking(&Pack::decode(&bytes).expect("a good pack")).table();
        memory.write(&mut store, areas.0, &table).expect("room for the policy");
        let number = |number: usize| u32::try_from(number).expect("within the memory");
        let arguments = (number(pages * PAGE_BYTES), number(pack.len()), number(table.len()));
        assert_eq!(init.call(&mut store, arguments).expect("no trap"), 0, "the filter takes the pack");
        Meter { store, memory, scan, areas }
    }

    /// Instructions that judging `text` takes.
    fn work(&mut self, text: &[u8]) -> u64 {
        let message = Message { text, ..Message::default() };
        let input = &mut self.memory.data_mut(&mut self.store)[self.areas.0..][..IN_BYTES];
        let length = write_batch(&[message], input).expect("a batch of one");
        let before = self.store.get_fuel().expect("fuel is counted");
        let answer = self.scan.call(&mut self.store, (1, u32::try_from(length).expect("a batch")));
        assert_eq!(answer.expect("no trap"), 0, "the filter judges");
        let output = &self.memory.data(&self.store)[self.areas.1..][..OUT_BYTES];
        assert_eq!(output[..4], [1, 0, 0, 0], "one verdict");
        assert!(output[OUT_HEADER] <= 4, "an action");
        before - self.store.get_fuel().expect("fuel is counted")
    }
}

/// What work may be beside that of plain text, in hundredths.
const BOUND: u64 = 300;
/// The families that do not keep to [`BOUND`] yet, and what they keep to: to be lowered, and raised
/// only where plain text became cheaper, or the texts are others.
const ABOVE: [(&str, u64); 35] = [
    ("digits for letters", 1960),
    ("pieces joined by points", 1860),
    ("terms spaced out", 1580),
    ("camel case", 1320),
    ("pairs joined by points", 1320),
    ("four separators between", 1250),
    ("single letters", 1240),
    ("digits for letters, near miss", 1180),
    ("tags", 1170),
    ("against the direction", 1100),
    ("Arabic in Latin letters", 1050),
    ("letter, digit, sign", 1040),
    ("signs", 1000),
    ("a.1", 910),
    ("upper and lower in turn", 880),
    ("terms spaced out, near miss", 840),
    ("bytes that are not UTF-8", 810),
    ("percent signs and escapes", 770),
    ("base64", 720),
    ("upside down", 690),
    ("long words", 680),
    ("letter and digit in turn", 670),
    ("entities", 660),
    ("terms", 610),
    ("terms without spaces", 610),
    ("letters drawn out", 580),
    ("Han with something between", 560),
    ("a mark on each letter", 490),
    ("letter glued to either side", 450),
    ("flags and styles", 380),
    ("Han, last character changed", 370),
    ("Han of the terms", 370),
    ("long words, letters of two alphabets", 340),
    ("invisible between", 320),
    ("last letter changed", 320),
];
/// What twice the text may cost beside the text, in hundredths: the texts are random, and matches are sorted.
const DOUBLED: u64 = 250;

fn bound(family: Family) -> u64 {
    ABOVE.iter().find(|(name, _)| *name == family.name).map_or(BOUND, |&(_, bound)| bound)
}

/// What was measured of the texts of a family, in hundredths, and with which list.
#[derive(Default)]
struct Worst {
    /// Work beside that of plain text.
    beside_plain: (u64, &'static str),
    /// Instructions a byte where that is most.
    a_byte: u64,
    /// Work of twice the text beside that of the text.
    doubled: (u64, &'static str),
}

#[test]
fn work_is_linear_whatever_the_text() {
    let (engine, module) = Meter::engine();
    let shapes = shapes();
    let mut worst: BTreeMap<&str, Worst> = BTreeMap::new();
    for (number, shape) in shapes.iter().enumerate() {
        let mut meter = Meter::new(&engine, &module, &shape.pack());
        // Scratch memory grows to the longest text once; that is no work of a scan.
        for text in [plain_text(2 * TEXT_BYTES), plain_han(2 * TEXT_BYTES)] {
            meter.work(&text);
        }
        let plain = [plain_text(TEXT_BYTES), plain_han(TEXT_BYTES)].map(|text| meter.work(&text));
        let a_byte = plain.map(|work| work / TEXT_BYTES as u64);
        println!("{}: {} instructions a byte of plain text, {} of Chinese", shape.name, a_byte[0], a_byte[1]);
        for family in FAMILIES {
            for seed in (number..TEXTS / FAMILIES.len()).step_by(shapes.len()) {
                let worst = worst.entry(family.name).or_default();
                measure(&mut meter, shape, family, seed as u64, plain, worst);
            }
        }
    }
    let mut breaches = Vec::new();
    for family in FAMILIES {
        let Worst { beside_plain: (beside, list), a_byte, doubled: (doubled, doubled_list) } = &worst[family.name];
        let line = format!(
            "{}: {beside} % of plain text, {a_byte} instructions a byte ({list}), twice the text {doubled} % ({doubled_list})",
            family.name
        );
        println!("{line}");
        if *beside > bound(family) || *doubled > DOUBLED {
            breaches.push(line);
        }
    }
    assert!(breaches.is_empty(), "more work than it may be:\n{}", breaches.join("\n"));
}

#[test]
fn families_that_may_cost_more_are_families() {
    for (name, bound) in ABOVE {
        assert!(bound > BOUND && FAMILIES.iter().any(|family| family.name == name), "{name}: remove it from ABOVE");
    }
}

fn measure(meter: &mut Meter, shape: &Shape, family: Family, seed: u64, plain: [u64; 2], worst: &mut Worst) {
    let [twice, once] = [2 * TEXT_BYTES, TEXT_BYTES].map(|bytes| meter.work(&family.text(shape, seed, bytes)));
    let plain = plain[usize::from(family.is_han || shape.is_han())];
    let beside_plain = (100 * once / plain, shape.name);
    if beside_plain > worst.beside_plain {
        (worst.beside_plain, worst.a_byte) = (beside_plain, once / TEXT_BYTES as u64);
    }
    worst.doubled = worst.doubled.max((100 * twice / once, shape.name));
}
