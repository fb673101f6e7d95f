//! `tamis bundle`: keys, and bundles from a folder of lists to the place where hosts fetch them. Secret keys
//! are used here only; a host that follows bundles never needs one.

mod args;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use minisign::{KeyPair, SecretKey, SecretKeyBox};
use tamis_host::bundle::{
    Added, Bundle, BundleBuilder, Emergency, Expected, Mode, Rollout, SignedText, Snoozed, Trust, publish,
    publish_trust, verify,
};
use tamis_host::{Runtime, RuntimeConfig, write_whole};

pub(crate) use self::args::BundleCommand;
use self::args::{
    BuildArgs, EmergencyArgs, InspectArgs, KeysArgs, PublishArgs, RollbackArgs, RotateTrustArgs, SignArgs,
    SignTrustArgs, VerifyArgs,
};
use crate::text::{count, note};
use crate::{Outcome, defaults, text};

const DAY_S: u64 = 24 * 3600;

pub(crate) fn run(command: &BundleCommand) -> anyhow::Result<Outcome> {
    match command {
        BundleCommand::Keys(args) => keys(args),
        BundleCommand::Build(args) => build(args),
        BundleCommand::Sign(args) => sign(args),
        BundleCommand::Verify(args) => verify_bundle(args),
        BundleCommand::Inspect(args) => inspect(args),
        BundleCommand::Publish(args) => publish_bundle(args),
        BundleCommand::Rollback(args) => rollback(args),
        BundleCommand::Emergency(args) => emergency(args),
        BundleCommand::SignTrust(args) => sign_trust(args),
        BundleCommand::RotateTrust(args) => rotate_trust(args),
    }?;
    Ok(Outcome::Clean)
}

fn keys(args: &KeysArgs) -> anyhow::Result<()> {
    let password = password(args.password_file.as_deref())?;
    let is_encrypted = password.is_some();
    let pair = match password {
        Some(password) => KeyPair::generate_encrypted_keypair(Some(password)),
        None => KeyPair::generate_unencrypted_keypair(),
    };
    let pair = pair.context("cannot make a key")?;
    let (secret, public) = (args.base.with_extension("key"), args.base.with_extension("pub"));
    write_secret(&secret, &pair.sk.to_box(None)?.into_string())?;
    fs::write(&public, pair.pk.to_box()?.into_string())
        .with_context(|| format!("cannot write {}", public.display()))?;
    let roles: Vec<String> = args.roles.iter().map(|role| format!("\"{role}\"")).collect();
    let stanza = format!("[[key]]\npublic = \"{}\"\nroles = [{}]\n", pair.pk.to_base64(), roles.join(", "));
    // What a trust file would not take is told now, and not on the hosts.
    Trust::parse(&format!("version = 1\n{stanza}"))?;
    let mut out = io::stdout();
    write!(out, "{stanza}")?;
    note(&format!("{}: keep it secret{}", secret.display(), if is_encrypted { "" } else { "; it is not encrypted" }));
    note(&format!("{}: public; the lines above go into the hosts' trust file, after `version = 1`", public.display()));
    Ok(())
}

/// Writes a file that only its owner can read, and never over another.
fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}; a key is never overwritten", path.display()))
}

fn password(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    let Some(path) = file else { return Ok(None) };
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn build(args: &BuildArgs) -> anyhow::Result<()> {
    let now = now_s();
    let mut builder = BundleBuilder::new(&args.name, args.sequence, now, now + args.expires_days * DAY_S);
    builder.folder(&args.lists)?.note(&args.note);
    builder.rollout(Rollout { rings: args.rings.clone(), steps: args.steps.clone() });
    if let Some(path) = &args.module {
        builder.module(fs::read(path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    let bundle = builder.finish()?;
    write_bundle(&args.output, &bundle)?;
    note(&format!("{}: {}; not signed yet", args.output.display(), summary(&bundle)));
    Ok(())
}

fn sign(args: &SignArgs) -> anyhow::Result<()> {
    let mut bundle = read_bundle(&args.bundle)?;
    let key = read_key(&args.key, password(args.password_file.as_deref())?)?;
    let manifest = bundle.manifest();
    let comment = format!("tamis bundle {} sequence {}", manifest.name, manifest.sequence);
    let signature = minisign::sign(None, &key, bundle.manifest_bytes(), Some(&comment), None)?;
    bundle.add_signature(signature.into_string());
    write_bundle(&args.bundle, &bundle)?;
    let signatures = match bundle.signatures().len() {
        1 => "1 signature".to_owned(),
        several => format!("{several} signatures"),
    };
    note(&format!("{}: {signatures}", args.bundle.display()));
    Ok(())
}

fn read_key(path: &Path, password: Option<String>) -> anyhow::Result<SecretKey> {
    let in_file = || format!("{} is no secret key that can be used", path.display());
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let parse = || SecretKeyBox::from_string(&text).with_context(in_file);
    match password {
        Some(_) => parse()?.into_secret_key(password).with_context(in_file),
        None => match parse()?.into_unencrypted_secret_key() {
            Ok(key) => Ok(key),
            Err(error) => {
                Err(error).with_context(|| format!("{}; if it is encrypted, name --password-file", in_file()))
            }
        },
    }
}

fn verify_bundle(args: &VerifyArgs) -> anyhow::Result<()> {
    let trust = read_trust(&args.trust)?;
    let expected = Expected { trust: &trust, name: &args.name, mark: None, base: None, now: SystemTime::now() };
    let verified = verify(read_bundle(&args.bundle)?, &expected)?;
    let runtime = Runtime::new(&RuntimeConfig::default())?;
    let defaults = defaults::defaults(&runtime)?;
    let (_, report) = defaults::admission().check(&runtime, &verified, &defaults, &[&defaults.module])?;
    text::diagnostics(&report.warnings);
    let mut out = io::stdout();
    writeln!(
        out,
        "{}: good: {}, {} tests pass, {:.1} µs for a message of the size of an SMS",
        args.bundle.display(),
        summary(&verified.whole()),
        count(report.tests as u64),
        report.message_time.as_secs_f64() * 1e6
    )?;
    Ok(())
}

fn inspect(args: &InspectArgs) -> anyhow::Result<()> {
    let bundle = read_bundle(&args.bundle)?;
    if let Some(path) = &args.manifest {
        fs::write(path, bundle.manifest_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        for (number, signature) in (1..).zip(bundle.signatures()) {
            let end = if number == 1 { "minisig".to_owned() } else { format!("{number}.minisig") };
            let beside = format!("{}.{end}", path.display());
            fs::write(&beside, signature).with_context(|| format!("cannot write {beside}"))?;
        }
    }
    let mut out = io::stdout();
    writeln!(out, "{}", serde_json::to_string_pretty(bundle.manifest())?)?;
    writeln!(out, "digest {}", bundle.digest())?;
    for signature in bundle.signatures() {
        let comment = signature.lines().find_map(|line| line.strip_prefix("trusted comment: "));
        // Anybody may have written it, for the terminal to obey.
        writeln!(out, "signature, not checked: {}", comment.unwrap_or("no comment").escape_debug())?;
    }
    match bundle.base() {
        Some(base) => writeln!(out, "written as changes to the bundle with the digest {base}")?,
        None => {
            bundle.unpack()?;
            writeln!(out, "the parts have the digests above")?;
        }
    }
    Ok(())
}

fn publish_bundle(args: &PublishArgs) -> anyhow::Result<()> {
    let bundle = read_bundle(&args.bundle)?;
    if let Some(path) = &args.trust {
        let trust = read_trust(path)?;
        let name = &bundle.manifest().name;
        let expected = Expected { trust: &trust, name, mark: None, base: None, now: SystemTime::now() };
        verify(bundle.clone(), &expected)?;
    }
    let changes = publish(&bundle, &args.to)?;
    let changes = changes.map_or(String::new(), |bytes| format!(", {} bytes as changes", count(bytes as u64)));
    note(&format!(
        "{}: {}, {} bytes{changes}",
        args.to.display(),
        summary(&bundle),
        count(bundle.encode().len() as u64)
    ));
    Ok(())
}

fn rollback(args: &RollbackArgs) -> anyhow::Result<()> {
    let old = read_bundle(&args.bundle)?;
    let was = old.manifest().sequence;
    if args.sequence <= was {
        bail!(
            "sequence {} is not above {was}, that of the old bundle; hosts take only what is above what they run",
            args.sequence
        );
    }
    let now = now_s();
    let expires = now + args.expires_days * DAY_S;
    let bundle = old.renewed(args.sequence, now, expires, &format!("back to the content of sequence {was}"))?;
    write_bundle(&args.output, &bundle)?;
    note(&format!("{}: {}; not signed yet", args.output.display(), summary(&bundle)));
    Ok(())
}

fn emergency(args: &EmergencyArgs) -> anyhow::Result<()> {
    let added =
        |terms: &[String], mode: Mode| terms.iter().map(|term| Added { term: term.clone(), mode }).collect::<Vec<_>>();
    let snoozed = args.snooze.iter().map(|text| {
        let (list, term) = text.split_once(':').with_context(|| format!("--snooze {text}: write LIST:TERM"))?;
        Ok(Snoozed { list: list.to_owned(), term: term.to_owned() })
    });
    let now = now_s();
    let emergency = Emergency {
        tamis_emergency: 1,
        name: args.name.clone(),
        sequence: args.sequence,
        created: now,
        expires: now + args.hours * 3600,
        add: [added(&args.hold, Mode::Hold), added(&args.shadow, Mode::Shadow)].concat(),
        snooze: snoozed.collect::<anyhow::Result<_>>()?,
    };
    if emergency.add.is_empty() && emergency.snooze.is_empty() {
        bail!("nothing to do: name terms with --hold, --shadow or --snooze");
    }
    let text = emergency.text();
    let comment = format!("tamis emergency {} sequence {}", args.name, args.sequence);
    let mut signatures = Vec::new();
    for path in &args.key {
        let key = read_key(path, password(args.password_file.as_deref())?)?;
        signatures.push(minisign::sign(None, &key, text.as_bytes(), Some(&comment), None)?.into_string());
    }
    let path = args.to.join(format!("{}.emergency.json", args.name));
    write(&path, &Emergency::encode(&text, &signatures))?;
    note(&format!("{}: {} terms, for {} hours", path.display(), emergency.add.len(), args.hours));
    Ok(())
}

fn sign_trust(args: &SignTrustArgs) -> anyhow::Result<()> {
    let text = read_text(&args.next)?;
    let next = Trust::parse(&text)?;
    let key = read_key(&args.key, password(args.password_file.as_deref())?)?;
    let comment = format!("tamis trust file version {}", next.version());
    let signature = minisign::sign(None, &key, text.as_bytes(), Some(&comment), None)?;
    write(&args.output, signature.into_string().as_bytes())?;
    note(&format!("{}: signature of {}, version {}", args.output.display(), args.next.display(), next.version()));
    Ok(())
}

fn rotate_trust(args: &RotateTrustArgs) -> anyhow::Result<()> {
    let now = read_trust(&args.trust)?;
    let signatures = args.signature.iter().map(|path| read_text(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let next = SignedText { signed: read_text(&args.next)?, signatures };
    let trust = now.rotate(&next)?;
    let version = trust.version();
    if let Some(folder) = &args.to {
        warn_of_unsigned(&folder.join(format!("{}.tamis", args.name)), &trust, &args.name);
        publish_trust(&next, &now, &args.name, folder)?;
        note(&format!("{}: trust file version {version} for hosts that follow", folder.display()));
    }
    write(&args.trust, next.signed.as_bytes())?;
    note(&format!("{}: version {} is now {version}", args.trust.display(), now.version()));
    Ok(())
}

/// Hosts that start take a bundle only if keys that hold then signed it.
fn warn_of_unsigned(published: &Path, trust: &Trust, name: &str) {
    let expected = Expected { trust, name, mark: None, base: None, now: SystemTime::now() };
    let checked = read_bundle(published).and_then(|bundle| Ok(verify(bundle, &expected)?));
    if published.is_file()
        && let Err(error) = checked
    {
        note(&format!(
            "{}: by the new trust file: {error:#}; hosts that run go on with it, and those that start do not take it: \
             publish one that is signed by its keys",
            published.display()
        ));
    }
}

fn read_trust(path: &Path) -> anyhow::Result<Trust> {
    Trust::parse(&read_text(path)?).with_context(|| path.display().to_string())
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn summary(bundle: &Bundle) -> String {
    let manifest = bundle.manifest();
    format!("`{}` sequence {}, {} terms", manifest.name, manifest.sequence, count(manifest.terms))
}

fn read_bundle(path: &Path) -> anyhow::Result<Bundle> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Bundle::decode(&bytes).with_context(|| path.display().to_string())
}

fn write_bundle(path: &Path, bundle: &Bundle) -> anyhow::Result<()> {
    write(path, &bundle.encode())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_whole(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
