//! The filter and its pages in a real browser, and the package in Node: the same verdicts as natively and in
//! the sandbox, and no input that breaks a page. Run by `cargo browser-test`, after `cargo browser`.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tamis_guest::pack::FORMAT_VERSION;
use tamis_guest::wire::verdict_bytes;
use tamis_guest::{ChannelId, Field, Message, Policy, kit_bytes};
use tamis_tests::browser::{Browser, Server, site, to_base64};
use tamis_tests::{
    Engines, Random, blocking_parts, case_files, generated_texts, pack_of, pack_of_case, read_cases, shipped_parts,
    sms, workspace,
};

/// What every script that uses the package begins with.
const PACKAGE: &str = "const tamis = await import('/tamis/tamis.js'); await tamis.init();
const bytes = async (file) => new Uint8Array(await (await fetch(file)).arrayBuffer());
const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const thrown = async (action) => { try { await action(); return 'nothing'; } catch (error) { if (!(error instanceof tamis.TamisError)) throw error; return `${error.code}: ${error.message}`; } };\n";

fn run(browser: &Browser, script: &str, args: &Value) -> Value {
    browser.run(&format!("{PACKAGE}{script}"), args)
}

/// A page of the site, ready for scripts.
fn open() -> (Server, Browser) {
    let (server, browser) = (Server::start(), Browser::start());
    server.put("blank.html", "<!doctype html><title>blank</title>");
    browser.open(&server.url("blank.html"));
    (server, browser)
}

/// A small kit in which `terms` are of severity 4 and the policy blocks.
fn kit(terms: &str) -> Vec<u8> {
    let parts = blocking_parts(pack_of(terms));
    kit_bytes(parts.pack.bytes(), &parts.policy, "{}").expect("a small kit")
}

#[test]
fn all_cases_have_the_verdict_they_have_natively() {
    let mut cases = Vec::new();
    for case in case_files().iter().flat_map(|path| read_cases(path)) {
        let pack = pack_of_case(&case).unwrap_or_else(|error| panic!("{error}"));
        let mut engines = Engines::new(blocking_parts(pack.clone()));
        // A page judges what its own user sends: there is no sender.
        let verdict =
            engines.judge(&[Message::body(&case.message)]).unwrap_or_else(|difference| panic!("{difference}"));
        let texts: Vec<&str> = verdict[0]
            .matches
            .iter()
            .map(|found| &case.message[found.span.start as usize..found.span.end as usize])
            .collect();
        cases.push(json!({
            "name": case.name, "message": case.message, "action": verdict[0].action.name(), "texts": texts,
            "pack": to_base64(&pack), "wire": to_base64(&verdict_bytes(&verdict[0])),
        }));
    }
    assert!(cases.len() > 100, "{} cases: the test looks in the wrong place", cases.len());
    let (server, browser) = open();
    server.put("cases.json", json!(cases).to_string());
    let result = run(
        &browser,
        "const failed = [];
        let scanner;
        const cases = await (await fetch('/cases.json')).json();
        for (const { name, message, action, texts, pack, wire } of cases) {
            if (scanner === undefined) scanner = new tamis.Scanner(fromBase64(pack)); else scanner.swap(fromBase64(pack));
            const found = btoa(String.fromCharCode(...scanner.scanWire(message)));
            const verdict = scanner.scan(message);
            const spans = verdict.matches.map(({ start, end }) => message.slice(start, end));
            if (found !== wire || verdict.action !== action || JSON.stringify(spans) !== JSON.stringify(texts)) failed.push({ name, found, wire, verdict, spans });
        }
        return { failed, judged: cases.length };",
        &json!({}),
    );
    assert_eq!(result["failed"], json!([]), "{result:#}");
    assert_eq!(result["judged"], cases.len());
}

#[test]
fn ten_thousand_messages_have_the_bytes_they_have_natively_and_in_the_sandbox() {
    let mut engines = Engines::new(shipped_parts());
    let mut random = Random(7_2024);
    let mut texts: Vec<Vec<u8>> = sms().into_iter().map(String::into_bytes).collect();
    let generated = generated_texts(&engines.parts().pack.pack(), 10_000 - texts.len(), &mut random);
    texts.extend(generated);
    let channels = engines.parts().policy.channels().to_vec();
    let messages: Vec<Message<'_>> = texts
        .iter()
        .map(|text| Message {
            text,
            field: Field::ALL[random.below(Field::COUNT)],
            channel: ChannelId(u8::try_from(random.below(channels.len())).unwrap_or(0)),
            sender: b"",
        })
        .collect();
    let mut expected = Vec::new();
    let mut with_matches = 0;
    for batch in messages.chunks(64) {
        for verdict in engines.judge(batch).unwrap_or_else(|difference| panic!("{difference}")) {
            with_matches += usize::from(!verdict.matches.is_empty());
            expected.push(to_base64(&verdict_bytes(&verdict)));
        }
    }
    assert!(with_matches > 1000, "{with_matches} messages have matches: the mix shows too little");

    let rows: Vec<Value> = messages
        .iter()
        .zip(&expected)
        .map(|(message, wire)| {
            let text = std::str::from_utf8(message.text).ok();
            let channel = &channels[usize::from(message.channel.0)];
            json!([to_base64(message.text), text, message.field.name(), channel, wire])
        })
        .collect();
    let parts = engines.parts();
    let (server, browser) = open();
    server.put("messages.json", json!(rows).to_string());
    server.put("own.kit", kit_bytes(parts.pack.bytes(), &parts.policy, "{}").expect("a kit"));
    let result = run(
        &browser,
        "const scanner = new tamis.Scanner(await bytes('/own.kit'));
        const rows = await (await fetch('/messages.json')).json();
        const failed = []; let strings = 0;
        for (const [encoded, text, field, channel, wire] of rows) {
            const same = (found) => btoa(String.fromCharCode(...found)) === wire;
            if (!same(scanner.scanWire(fromBase64(encoded), { field, channel }))) failed.push([encoded, field, channel, wire]);
            if (text === null) continue;
            strings += 1;
            if (!same(scanner.scanWire(text, { field, channel }))) failed.push([text, field, channel, wire]);
        }
        return { judged: rows.length, strings, failed: failed.slice(0, 3) };",
        &json!({}),
    );
    assert_eq!(result["failed"], json!([]), "{result:#}");
    assert_eq!(result["judged"], 10_000);
    assert!(result["strings"].as_u64() > Some(8000), "{result}");
}

#[test]
fn the_model_is_as_sure_in_a_page_and_says_why() {
    let mut engines = Engines::new(shipped_parts());
    let texts = [
        "URGENT! You have won a 2000 pound prize, call 09061701461 now to claim",
        "【某某】您的快递丢失，请加客服微信办理退款🎁",
        "see you at six",
        "",
    ];
    let messages: Vec<Message<'_>> = texts.iter().map(|text| Message::body(text)).collect();
    let verdicts = engines.judge(&messages).unwrap_or_else(|difference| panic!("{difference}"));
    let expected: Vec<Value> = verdicts
        .iter()
        .map(|verdict| json!([verdict.confidence.advertising, verdict.confidence.fraud, verdict.action.name()]))
        .collect();
    let parts = engines.parts();
    let (server, browser) = open();
    server.put("texts.json", json!(texts).to_string());
    server.put("own.kit", kit_bytes(parts.pack.bytes(), &parts.policy, "{}").expect("a kit"));
    server.put("plain.pack", pack_of("zorbleflux"));
    let result = run(
        &browser,
        "const scanner = new tamis.Scanner(await bytes('/own.kit'));
        const texts = await (await fetch('/texts.json')).json();
        const found = texts.map((text) => { const { confidence, action } = scanner.scan(text); return [confidence.advertising, confidence.fraud, action]; });
        const why = texts.map((text) => scanner.reasons(text).filter(({ weight }) => weight > 0).map(({ start, end, signal }) => signal ?? text.slice(start, end)));
        const plain = new tamis.Scanner(await bytes('/plain.pack'));
        return { found, why, none: plain.scan(texts[0]).confidence ?? null, noReasons: plain.reasons(texts[0]) };",
        &json!({}),
    );
    assert_eq!(result["found"], json!(expected), "{result:#}");
    let why = result["why"][0].as_array().expect("a list");
    assert!(why.contains(&json!("premium number")) || why.contains(&json!("telephone number")), "{result:#}");
    let han = result["why"][1].as_array().expect("a list");
    assert!(han.iter().any(|word| texts[1].contains(word.as_str().unwrap_or("?"))), "{result:#}");
    assert_eq!((&result["none"], &result["noReasons"]), (&Value::Null, &json!([])), "{result:#}");
}

#[test]
fn bad_input_gets_an_answer_or_a_typed_error() {
    let (server, browser) = open();
    let good = pack_of("zorbleflux");
    let changed = |at: usize, by: u8| {
        let mut pack = good.clone();
        pack[at] ^= by;
        pack
    };
    let small = blocking_parts(good.clone());
    let mut newer_kit = kit("zorbleflux");
    newer_kit[8] = 9;
    let other_policy = kit_bytes(&good, &shipped_parts().policy, "{}").expect("a small kit");
    for (name, bytes) in [
        ("good", good.clone()),
        ("version", changed(8, 2)),
        ("fold", changed(16, 1)),
        ("damaged", changed(good.len() / 2, 1)),
        ("cut", good[..good.len() / 2].to_vec()),
        ("none", b"<!doctype html>".to_vec()),
        ("empty", Vec::new()),
        ("newer_kit", newer_kit),
        ("other_policy", other_policy),
    ] {
        server.put(name, bytes);
    }
    assert_eq!(small.policy, Policy::blocking(&small.pack.pack()));
    let result = run(
        &browser,
        "const load = async (file) => thrown(async () => new tamis.Scanner(await bytes(`/${file}`)));
        const found = {};
        for (const file of ['version', 'fold', 'damaged', 'cut', 'none', 'empty', 'newer_kit', 'other_policy']) found[file] = await load(file);
        const scanner = new tamis.Scanner(await bytes('/good'));
        const spans = (message) => scanner.scan(message).matches.map(({ start, end }) => [start, end]);
        found.lone = spans('\\ud83d zorbleflux \\ude00\\ud800zorbleflux');
        found.pair = spans('😀 zorbleflux');
        found.glued = spans('\\ud83dzorbleflux');
        const paste = 'lorem ipsum '.repeat(90000);
        const long = scanner.scan(paste + 'zorbleflux');
        found.long = [long.action, long.flags];
        found.atEnd = spans(paste.slice(0, 1048576 - 11) + ' zorbleflux');
        found.wide = scanner.scan('好'.repeat(400000)).flags;
        found.maskLong = await thrown(() => scanner.mask(paste));
        found.many = scanner.mask('zorbleflux '.repeat(500));
        found.tooMany = await thrown(() => scanner.mask('zorbleflux '.repeat(5000)));
        found.number = await thrown(() => scanner.scan(42));
        found.field = await thrown(() => scanner.scan('', { field: 'subject' }));
        found.channel = await thrown(async () => new tamis.Scanner(await bytes('/good'), { channel: 'pigeon' }));
        found.unknownChannel = scanner.scan('zorbleflux', { channel: 'pigeon' }).action;
        found.again = scanner.scan('zorbleflux').action;
        scanner.free();
        found.freed = await thrown(() => scanner.scan(''));
        return found;",
        &json!({}),
    );
    let starts = |name: &str, start: &str| {
        let text = result[name].as_str().unwrap_or_default();
        assert!(text.starts_with(start), "{name}: {text:?} does not start with {start:?}");
    };
    starts("version", &format!("pack-version: pack format {}", FORMAT_VERSION ^ 2));
    starts("fold", "fold-table: pack compiled with another fold table: compile the lists again");
    starts("damaged", "pack-damaged: pack is damaged: its checksum does not match; copy it again");
    starts("cut", "pack-damaged: pack is damaged");
    starts("none", "not-a-pack: not a Tamis pack");
    starts("empty", "not-a-pack");
    starts("newer_kit", "pack-version: kit format 9");
    starts("other_policy", "pack-damaged: kit is inconsistent in its policy");
    starts("maskLong", "message-too-long");
    starts("tooMany", "too-many-matches");
    starts("number", "bad-message");
    starts("field", "no-field");
    starts("channel", "no-channel: the policy has no channel `pigeon`; it has default");
    starts("freed", "freed");
    assert_eq!(result["lone"], json!([[2, 12], [15, 25]]));
    assert_eq!(result["pair"], json!([[3, 13]]));
    assert_eq!(result["glued"], json!([[1, 11]]));
    assert_eq!(result["long"], json!(["allow", ["truncated"]]));
    assert_eq!(result["atEnd"], json!([[1_048_566, 1_048_576]]));
    assert_eq!(result["wide"], json!(["truncated"]));
    assert_eq!(result["many"], json!("********** ".repeat(500)));
    assert_eq!((&result["unknownChannel"], &result["again"]), (&json!("block"), &json!("block")));
}

#[test]
fn packs_are_verified_before_use() {
    let (server, browser) = open();
    let folder = std::env::temp_dir().join(format!("tamis-keys-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{error}"));
    let minisign = |args: &[&str]| {
        let status = Command::new("minisign").args(args).current_dir(&folder).stdout(Stdio::null()).status();
        assert!(status.expect("no minisign: install the package minisign").success(), "{args:?}");
    };
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    minisign(&["-G", "-W", "-p", "own.pub", "-s", "own.key"]);
    minisign(&["-G", "-W", "-p", "other.pub", "-s", "other.key"]);
    let sign = |bytes: &[u8]| {
        fs::write(folder.join("signed"), bytes).unwrap_or_else(|error| panic!("{error}"));
        minisign(&["-S", "-s", "own.key", "-m", "signed"]);
        read("signed.minisig")
    };
    let (first, second) = (kit("zorbleflux"), kit("quuxmonger"));
    server.put("a.kit", first.clone());
    server.put("a.kit.minisig", sign(&first));
    server.put("b.kit", second.clone());
    server.put("b.kit.minisig", sign(&first));
    let result = run(
        &browser,
        "const { publicKey, other, signature, secondSignature } = args, found = {};
        const a = await bytes('/a.kit'), b = await bytes('/b.kit');
        const scanner = new tamis.Scanner(a, { publicKey, signature });
        found.unsigned = await thrown(() => new tamis.Scanner(a, { publicKey }));
        found.other = await thrown(() => new tamis.Scanner(a, { publicKey: other, signature }));
        found.swapUnsigned = await thrown(() => scanner.swap(b));
        found.swapWrong = await thrown(() => scanner.swap(b, { signature }));
        found.kept = [scanner.generation, scanner.scan('zorbleflux').action, scanner.scan('quuxmonger').action];
        scanner.swap(b, { signature: secondSignature });
        found.swapped = [scanner.generation, scanner.scan('zorbleflux').action, scanner.scan('quuxmonger').action];
        found.key = await thrown(() => new tamis.Scanner(a, { publicKey: 'no key', signature }));
        found.text = await thrown(() => new tamis.Scanner(a, { publicKey, signature: 'no signature' }));
        const loaded = await tamis.loadPack('/a.kit', { publicKey });
        found.loaded = [loaded.source, loaded.stored, new tamis.Scanner(loaded, { publicKey }).scan('zorbleflux').action];
        found.loadWrong = await thrown(() => tamis.loadPack('/b.kit', { publicKey }));
        const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
        const sha256 = hex(await crypto.subtle.digest('SHA-256', a));
        await tamis.verifyPack(a, { sha256 });
        found.digest = await thrown(() => tamis.verifyPack(b, { sha256 }));
        found.tooLong = await thrown(() => tamis.loadPack('/a.kit', { bytesMax: 10, cache: false }));
        found.absent = await thrown(() => tamis.loadPack('/absent.kit'));
        const progress = [];
        await tamis.loadPack('/default.kit', { onProgress: ({ loaded, total }) => progress.push([loaded, total]) });
        found.progress = [progress[0][0], progress.at(-1)[0] === progress.at(-1)[1], progress.every(([loaded], index) => index === 0 || loaded >= progress[index - 1][0])];
        return found;",
        &json!({
            "publicKey": read("own.pub").lines().nth(1), "other": read("other.pub"), "signature": sign(&first),
            "secondSignature": sign(&second),
        }),
    );
    let _ = fs::remove_dir_all(&folder);
    for name in ["unsigned", "other", "swapUnsigned", "swapWrong", "text", "loadWrong"] {
        assert!(result[name].as_str().is_some_and(|text| text.starts_with("bad-signature: ")), "{name}: {result:#}");
    }
    for (name, code) in
        [("key", "bad-key: "), ("digest", "bad-digest: "), ("tooLong", "pack-too-long: "), ("absent", "network: ")]
    {
        assert!(result[name].as_str().is_some_and(|text| text.starts_with(code)), "{name}: {result:#}");
    }
    assert_eq!(result["kept"], json!([1, "block", "allow"]));
    assert_eq!(result["swapped"], json!([2, "allow", "block"]));
    assert_eq!(result["loaded"], json!(["network", true, "block"]));
    assert_eq!(result["progress"], json!([0, true, true]));
}

#[test]
fn the_last_good_pack_is_there_when_the_network_is_not() {
    let (server, browser) = open();
    server.put("own.kit", kit("zorbleflux"));
    let load = "const load = async () => { const { bytes, source, problem } = await tamis.loadPack('/own.kit'); return [source, problem?.code ?? null, new tamis.Scanner(bytes).scan('zorbleflux').action]; };\n";
    let run = |script: &str| run(&browser, &format!("{load}{script}"), &json!({}));
    assert_eq!(run("return load()"), json!(["network", null, "block"]));
    let mut damaged = kit("quuxmonger");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    server.put("own.kit", damaged);
    assert_eq!(run("return load()"), json!(["cache", "pack-damaged", "block"]));
    // What is in the cache is checked too.
    let poisoned = "const cache = await caches.open('tamis-packs'); await cache.put(new URL('/own.kit', location.href).href, new Response('poisoned')); return thrown(load)";
    assert!(run(poisoned).as_str().is_some_and(|text| text.starts_with("pack-damaged: ")));
    server.put("own.kit", kit("zorbleflux"));
    assert_eq!(run("return load()"), json!(["network", null, "block"]));
    let offline =
        browser.run(&format!("{PACKAGE}{load} await fetch('/stop'); window.load = load; return 1"), &json!({}));
    assert_eq!(offline, 1);
    server.stop();
    assert_eq!(browser.run("return load()", &json!({})), json!(["cache", "network", "block"]));
}

#[test]
fn a_worker_judges_in_order_and_swaps() {
    let (server, browser) = open();
    server.put("a.kit", kit("zorbleflux"));
    server.put("b.kit", kit("quuxmonger"));
    server.put("bad.kit", "no kit");
    let result = run(
        &browser,
        "const { WorkerScanner } = await import('/tamis/worker-scanner.js');
        const url = (file) => new URL(file, location.href).href;
        const progress = [], found = {};
        const scanner = await WorkerScanner.start({ url: url('/a.kit') }, { onProgress: ({ loaded }) => progress.push(loaded) });
        const answers = [scanner.scan('zorbleflux'), scanner.swap({ url: url('/b.kit') }), scanner.scan('zorbleflux quuxmonger'), thrown(() => scanner.swap({ url: url('/bad.kit') })), scanner.scan('quuxmonger'), scanner.mask('a quuxmonger')];
        const [first, generation, second, refused, third, masked] = await Promise.all(answers);
        found.first = [first.action, first.generation];
        found.second = [generation, second.generation, second.matches.map(({ term }) => term)];
        found.refused = refused;
        found.third = [third.action, third.generation];
        found.masked = masked;
        found.progress = progress.length > 1;
        const waiting = thrown(() => scanner.scan('x'));
        scanner.terminate();
        found.ended = [await waiting, await thrown(() => scanner.scan('x'))];
        found.start = await thrown(() => WorkerScanner.start({ url: url('/bad.kit') }));
        return found;",
        &json!({}),
    );
    assert_eq!(result["first"], json!(["block", 1]));
    assert_eq!(result["second"], json!([2, 2, ["quuxmonger"]]));
    assert_eq!(result["third"], json!(["block", 2]));
    assert_eq!(result["masked"], "a **********");
    assert_eq!(result["progress"], true);
    for text in [&result["refused"], &result["start"]] {
        assert!(text.as_str().is_some_and(|text| text.starts_with("not-a-pack: ")), "{result:#}");
    }
    assert_eq!(result["ended"], json!(["freed: the worker was ended", "freed: the worker was ended"]));
}

#[test]
fn a_thousand_swaps_do_not_grow_the_memory() {
    let (server, browser) = open();
    server.put("a.kit", kit(&(0..2000).map(|n| format!("zorbleflux{n}\n")).collect::<String>()));
    server.put("b.kit", kit("quuxmonger"));
    let result = run(
        &browser,
        "const wasm = await (await import('/tamis/wasm/scanner.js')).default();
        const a = await bytes('/a.kit'), b = await bytes('/b.kit');
        const scanner = new tamis.Scanner(a);
        const swap = (times) => { for (let n = 0; n < times; n += 1) { scanner.swap(b); scanner.scan('zorbleflux7 quuxmonger'); scanner.swap(a); scanner.scan('zorbleflux7 quuxmonger'); } return wasm.memory.buffer.byteLength; };
        const warm = swap(10);
        return [warm, swap(500), scanner.generation, scanner.scan('zorbleflux7').action];",
        &json!({}),
    );
    assert_eq!(result[0], result[1], "{result}");
    assert_eq!((&result[2], &result[3]), (&json!(1021), &json!("block")));
}

#[test]
fn a_match_in_an_upload_is_found_wherever_pieces_end() {
    let (server, browser) = open();
    server.put("a.kit", kit("zorbleflux\nquux monger\n赌博"));
    let result = run(
        &browser,
        "const { UploadScan, scanUpload } = await import('/tamis/upload.js');
        const scanner = new tamis.Scanner(await bytes('/a.kit'));
        const found = { split: [], border: [] };
        const text = 'a zorbleflux and 赌博 here';
        for (let at = 0; at <= text.length; at += 1) {
            const scan = new UploadScan(scanner);
            const matches = [...await scan.push(text.slice(0, at)), ...await scan.push(text.slice(at)), ...await scan.finish()];
            found.split.push(JSON.stringify([matches.map(({ start, end }) => [start, end]), scan.result.action]));
        }
        found.split = [...new Set(found.split)];
        const part = 256 * 1024, word = 'zorbleflux';
        for (const filler of ['lorem ipsum ', 'x', '好']) {
            for (let at = part - 4110; at <= part + 12; at += at < part - 4080 || at > part - 20 ? 1 : 997) {
                const before = filler.repeat(part).slice(0, at - 1) + ' ';
                const scan = new UploadScan(scanner);
                await scan.push(`${before}${word} ${filler.repeat(5000)}`);
                await scan.finish();
                const { matches, action } = scan.result;
                if (matches.length !== 1 || matches[0].start !== at || action !== 'block') found.border.push([filler, at, matches]);
            }
        }
        const inside = 'lorem '.repeat(part / 6 | 0).slice(0, part - 4096 - 7) + 'axzorblefluxb ' + 'ipsum '.repeat(5000);
        const innocent = new UploadScan(scanner);
        await innocent.push(inside); await innocent.finish();
        found.innocent = innocent.result.action;
        const gb = new Uint8Array([0xb6, 0xc4, 0xb2, 0xa9]);
        const files = { utf8: new Blob(['x 赌博']), gb18030: new Blob([gb]), utf16: new Blob([new Uint8Array([0xff, 0xfe, 0x4c, 0x8d, 0x5a, 0x53])]), empty: new Blob([]) };
        for (const [name, file] of Object.entries(files)) { const { action, encoding } = await scanUpload(scanner, file); found[name] = [action, encoding]; }
        const many = await scanUpload(scanner, new Blob(['zorbleflux '.repeat(200000)]));
        found.many = [many.action, many.capped, many.matches.length, many.bytes];
        const own = new AbortController();
        found.stopped = await thrown(() => scanUpload(scanner, new Blob(['lorem '.repeat(2e6)]), { signal: own.signal, onProgress: () => own.abort() }));
        return found;",
        &json!({}),
    );
    assert_eq!(result["split"], json!(["[[[2,12],[17,19]],\"block\"]"]));
    assert_eq!(result["border"], json!([]));
    assert_eq!(result["innocent"], "allow");
    assert_eq!(result["utf8"], json!(["block", "utf-8"]));
    assert_eq!(result["gb18030"], json!(["block", "gb18030"]));
    assert_eq!(result["utf16"], json!(["block", "utf-16le"]));
    assert_eq!(result["empty"], json!(["allow", "utf-8"]));
    assert_eq!(result["many"][0], "block");
    assert_eq!((&result["many"][1], &result["many"][3]), (&json!(true), &json!(2_200_000)));
    assert_eq!(result["stopped"], "aborted: checking was given up");
}

fn composer(query: &str) -> (Server, Browser) {
    let (server, browser) = (Server::start(), Browser::start());
    browser.open(&server.url(query));
    (server, browser)
}

/// Texts of the page whose contrast is below 4.5, which WCAG asks for.
const POOR_CONTRAST: &str = "
document.getAnimations().forEach((animation) => animation.finish());
const numbers = (colour) => { const all = colour.match(/[\\d.]+/g).map(Number); const scale = colour.startsWith('color(') ? 255 : 1; return [...all.slice(0, 3).map((part) => part * scale), all[3] ?? 1]; };
const over = (top, below) => top.slice(0, 3).map((part, at) => part * top[3] + below[at] * (1 - top[3]));
const ground = (node) => node === null ? [255, 255, 255] : over(numbers(getComputedStyle(node).backgroundColor), ground(node.parentElement));
const light = (colour) => { const [r, g, b] = colour.map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const sample = document.querySelector('.badge');
for (const action of ['allow', 'flag', 'mask', 'hold', 'block']) { const badge = sample.cloneNode(true); badge.className = `badge sample ${action}`; sample.parentElement.append(badge); }
const nodes = [...document.querySelectorAll('h1, h2, h3, p, span, a, button, label, .verdict, textarea')].filter((node) => node.checkVisibility() && !node.closest('.mirror') && !node.matches('.hidden, .skip, :disabled') && node.textContent.trim() !== '');
const poor = nodes.map((node) => { const below = ground(node), ink = over(numbers(getComputedStyle(node).color), below); const [a, b] = [light(ink), light(below)].sort((x, y) => y - x); return [(a + 0.05) / (b + 0.05), node.className, node.textContent.slice(0, 30)]; }).filter(([ratio]) => ratio < 4.5);
document.querySelectorAll('.sample').forEach((node) => node.remove());
return nodes.length > 20 ? poor : ['too few texts'];";

const READY: &str = "document.querySelector('#load').hidden && !document.querySelector('#update').disabled";

#[test]
fn the_composer_marks_as_one_types_and_says_why() {
    let (_server, browser) = composer("index.html");
    browser.wait(READY);
    browser.picture("composer-empty");
    browser.type_into("#message", "You have won a prize");
    browser.wait("document.querySelectorAll('.mirror mark').length > 1");
    browser.wait("document.querySelector('#reasons li')");
    assert_eq!(browser.text("#reasons h3 .badge"), "flagged");
    assert!(browser.text("#reasons").contains("Clauses A:5.7(16)"), "{}", browser.text("#reasons"));
    assert!(browser.text("#reasons").contains("looks like a scam"));
    assert_eq!(browser.text("#send"), "Send anyway");
    browser.type_into("#message", ", call now to claim");
    browser.wait("document.querySelector('#status').classList.contains('hold')");
    assert_eq!(browser.text("#send"), "Send for review");
    assert!(
        browser.text("#length").starts_with("1 SMS · 39 characters (GSM) · 121 left"),
        "{}",
        browser.text("#length")
    );
    browser.picture("composer-hold");
    assert_eq!(browser.run(POOR_CONTRAST, &json!({})), json!([]));
    browser.prefer("dark");
    browser.picture("composer-hold-dark");
    assert_eq!(browser.run(POOR_CONTRAST, &json!({})), json!([]));
    browser.prefer("light");
    // The button of a place selects it, for keyboards and screen readers.
    browser.click("#reasons .chip");
    assert_eq!(
        browser.run("const { selectionStart, selectionEnd, value } = document.activeElement; return value.slice(selectionStart, selectionEnd)", &json!({})),
        json!(browser.text("#reasons .chip"))
    );
    // Marks lie exactly under the letters: same font, same width, same place.
    let laid = browser.run(
        "const box = document.querySelector('#message'), mirror = document.querySelector('#mirror');
        const of = (node) => { const style = getComputedStyle(node); return [style.font, style.letterSpacing, style.padding, style.borderWidth, node.clientWidth, node.scrollHeight, JSON.stringify(node.getBoundingClientRect())]; };
        return [of(box), of(mirror)];",
        &json!({}),
    );
    assert_eq!(laid[0], laid[1]);

    browser.click("[data-language=zh]");
    assert_eq!(browser.text("#send"), "提交审核");
    assert!(browser.text("#reasons").contains("消息疑似诈骗"));
    assert_eq!(browser.run("return document.documentElement.lang", &json!({})), "zh-Hans");
    browser.picture("composer-hold-zh");
    browser.resize(390, 844);
    browser.picture("composer-hold-zh-phone");
    assert_eq!(browser.run("return document.documentElement.scrollWidth <= innerWidth", &json!({})), true);
    browser.click("#send");
    browser.wait("document.querySelector('#sent li')");
    assert!(browser.text("#sent").contains("等待审核"));
    browser.click("[data-language=en]");
    browser.resize(1200, 900);

    // In disguise, and in Chinese.
    browser.click("[data-example=hidden]");
    browser.wait("document.querySelector('#status').classList.contains('hold')");
    assert!(browser.text("#reasons").contains("digits or signs for letters"), "{}", browser.text("#reasons"));
    browser.picture("composer-disguise");
    browser.click("[data-example=chinese]");
    browser.wait("[...document.querySelectorAll('.mirror mark')].some((mark) => mark.textContent.includes('中奖'))");
    browser.picture("composer-chinese");
    browser.click("[data-example=fine]");
    browser.wait("document.querySelector('#status').textContent === 'Nothing found.'");
    assert_eq!(browser.run("return document.querySelectorAll('.mirror mark').length", &json!({})), 0);
    browser.click("#send");
    browser.wait("document.querySelectorAll('#sent li').length === 2");
    assert_eq!(browser.run("return document.querySelector('#message').value", &json!({})), "");
    assert_eq!(browser.complaints(), Vec::<String>::new());

    // A megabyte pasted, and lone surrogates: an answer.
    browser.run(
        "const box = document.querySelector('#message'); box.value = 'lorem ipsum '.repeat(90000) + '\\ud800'; \
         box.dispatchEvent(new Event('input')); return 0",
        &json!({}),
    );
    browser.wait("document.querySelector('#status').textContent.includes('longer than 1 MiB')");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn what_the_policy_says_is_what_one_can_do() {
    let parts = blocking_parts(pack_of("zorbleflux"));
    let (server, browser) = (Server::start(), Browser::start());
    let with = |action: tamis_guest::Action| {
        let policy = Policy::from_fn(vec!["sms".into(), "chat".into()], 1, |channel, _, _, _| {
            if channel == 0 { action } else { tamis_guest::Action::Mask }
        });
        kit_bytes(parts.pack.bytes(), &policy, "{}").expect("a small kit")
    };
    server.put("block.kit", with(tamis_guest::Action::Block));
    browser.open(&server.url("index.html?kit=block.kit"));
    browser.wait(READY);
    browser.type_into("#message", "a zorbleflux here");
    browser.wait("document.querySelector('#status').classList.contains('block')");
    assert_eq!(browser.text("#send"), "Cannot be sent");
    browser.picture("composer-block");
    browser.click("#send");
    assert_eq!(browser.run("return document.querySelectorAll('#sent li').length", &json!({})), 0);
    browser.run("const channel = document.querySelector('#channel'); channel.value = 'chat'; channel.dispatchEvent(new Event('change')); return 0", &json!({}));
    browser.wait("document.querySelector('#status').textContent.includes('a ********** here')");
    browser.click("#send");
    browser.wait("document.querySelector('#sent li')?.firstChild.textContent === 'a ********** here'");

    // Other lists, without loading the page again; then damaged ones, which are refused while the good ones go on.
    server.put("block.kit", with(tamis_guest::Action::Flag));
    browser.run("const channel = document.querySelector('#channel'); channel.value = 'sms'; return 0", &json!({}));
    browser.click("#update");
    browser.wait("document.querySelector('#status').textContent === 'The lists are loaded again.'");
    browser.type_into("#message", "a zorbleflux here");
    browser.wait("document.querySelector('#status').classList.contains('flag')");
    let mut damaged = with(tamis_guest::Action::Block);
    damaged[100] ^= 1;
    server.put("block.kit", damaged.clone());
    browser.run("document.querySelector('#message').value = ''; return 0", &json!({}));
    browser.click("#update");
    browser.wait("document.querySelector('#status').textContent.includes('the last good ones go on')");
    assert!(
        browser.text("#status").contains("its checksum does not match; copy it again"),
        "{}",
        browser.text("#status")
    );
    browser.type_into("#message", "a zorbleflux here");
    browser.wait("document.querySelector('#status').classList.contains('flag')");

    // A first visit with damaged lists.
    server.put("new.kit", damaged);
    browser.open(&server.url("index.html?kit=new.kit"));
    browser.wait("document.querySelector('#status').classList.contains('error')");
    let status = browser.text("#status");
    assert!(status.contains("The lists cannot be used.") && status.contains("copy it again"), "{status}");
    browser.picture("composer-damaged");
    server.put("new.kit", with(tamis_guest::Action::Block));
    browser.click("#update");
    browser.wait(READY);
}

#[test]
fn the_page_starts_offline() {
    let (server, browser) = composer("index.html");
    browser.wait(READY);
    browser.wait("navigator.serviceWorker.controller");
    server.stop();
    browser.reload();
    browser.wait(READY);
    assert!(browser.text("#about").contains("offline, with the last good lists"), "{}", browser.text("#about"));
    browser.type_into("#message", "You have won a prize");
    browser.wait("document.querySelectorAll('.mirror mark').length > 1");
    browser.picture("composer-offline");
}

#[test]
fn a_file_is_checked_with_progress() {
    let (_server, browser) = composer("index.html");
    browser.wait(READY);
    let path = std::env::temp_dir().join(format!("tamis-upload-{}.txt", std::process::id()));
    let text = format!(
        "{}You have won a prize, call now to claim. {}",
        "lorem ipsum ".repeat(40_000),
        "dolor sit ".repeat(90_000)
    );
    fs::write(&path, &text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    browser.type_into("#file", &path.display().to_string());
    browser.wait("document.querySelector('#upload-status').classList.contains('hold')");
    let status = browser.text("#upload-status");
    assert!(status.contains("places in 1.4 MB"), "{status}");
    assert_eq!(browser.run("return document.querySelector('#upload-progress').value", &json!({})), 1);
    browser.picture("composer-upload");
    let _ = fs::remove_file(&path);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn moderators_see_what_a_change_does() {
    let (_server, browser) = composer("try.html");
    browser.wait("document.querySelectorAll('#rows tr').length === 7");
    assert_eq!(browser.text("#summary"), "7 messages, 3 changed");
    browser.picture("try");
    browser.type_into("#terms", "station at\n");
    browser.wait("document.querySelector('#summary').textContent === '7 messages, 4 changed'");
    browser.click("#changed");
    browser.wait("document.querySelectorAll('#rows tr').length === 4");
    assert!(browser.text("#rows").contains("+ own: station at"), "{}", browser.text("#rows"));
    // An error has a line and a column, and the last good list stays.
    browser.type_into("#terms", "good\n{unclosed\n");
    browser.wait("document.querySelector('#diagnostics li')");
    let found = browser.text("#diagnostics");
    assert!(found.contains("line 6, column"), "{found}");
    assert_eq!(browser.text("#summary"), "7 messages, 4 changed");
    browser.click("#diagnostics button");
    let selected = browser.run("const { selectionStart, selectionEnd, value } = document.activeElement; return value.slice(selectionStart, selectionEnd)", &json!({}));
    assert!(selected.as_str().is_some_and(|text| "{unclosed".ends_with(text)), "{selected}");
    browser.click("[data-language=zh]");
    browser.picture("try-error-zh");
    browser.resize(390, 844);
    browser.picture("try-error-zh-phone");
    assert_eq!(browser.run("return document.documentElement.scrollWidth <= innerWidth", &json!({})), true);
    browser.resize(1200, 900);
    browser.click("[data-language=en]");
    // A shipped list, emptied of a term.
    browser.run("const which = document.querySelector('#which'); which.value = 'en/fraud.scam.toml'; which.dispatchEvent(new Event('change')); return 0", &json!({}));
    browser.wait("document.querySelector('#summary').textContent === '7 messages, 0 changed'");
    browser.run("const terms = document.querySelector('#terms'); terms.value = terms.value.replaceAll('won', 'zorbleflux'); terms.dispatchEvent(new Event('input')); return 0", &json!({}));
    browser.wait("document.querySelector('#summary').textContent !== '7 messages, 0 changed'");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn node_imports_the_package() {
    let folder = std::env::temp_dir().join(format!("tamis-node-{}", std::process::id()));
    let modules = folder.join("node_modules/tamis");
    fs::create_dir_all(folder.join("node_modules")).unwrap_or_else(|error| panic!("{error}"));
    let package = workspace().join("target/browser/package");
    let copied = Command::new("cp").arg("-r").arg(package).arg(&modules).status();
    assert!(copied.is_ok_and(|status| status.success()), "the package is copied");
    let script = format!(
        "import {{ init, Scanner, loadPack, smsLength }} from 'tamis';
        import {{ compileLists }} from 'tamis/lists';
        import {{ scanUpload }} from 'tamis/upload';
        await init();
        const scanner = new Scanner(await loadPack(new URL('file://{}/default.kit')));
        const taxonomy = 'format = 1\\n[[category]]\\nid = \"custom\"\\ncode = 900\\ntitle = {{}}\\ntext = {{}}\\nclauses = []\\n';
        const policy = 'format = 1\\ndefault_channel = \"a\"\\n[channels.a]\\ns1 = \"flag\"\\ns2 = \"flag\"\\ns3 = \"hold\"\\ns4 = \"mask\"\\non_failure = \"hold\"\\n';
        const list = 'format = 1\\nlist = {{ id = \"own\" }}\\n[[group]]\\ncategory = \"custom\"\\nseverity = 4\\nterms = \"zorbleflux\"\\n';
        const {{ kit, diagnostics }} = await compileLists({{ lists: [{{ path: 'own.toml', text: list }}], taxonomy, policy }});
        const own = new Scanner(kit);
        const upload = await scanUpload(own, new Blob(['a zorbleflux']));
        console.log(JSON.stringify([scanner.scan('you have won a prize, call now to claim').action, diagnostics, own.mask('a ZORBLEFLUX'), upload.action, smsLength('hi').segments]));",
        site().display()
    );
    fs::write(folder.join("test.mjs"), script).unwrap_or_else(|error| panic!("{error}"));
    let output = Command::new("node").arg("test.mjs").current_dir(&folder).output();
    let output = output.expect("no node: install the package nodejs");
    let _ = fs::remove_dir_all(&folder);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "[\"hold\",[],\"a **********\",\"mask\",1]", "{}", String::from_utf8_lossy(&output.stderr));
}
