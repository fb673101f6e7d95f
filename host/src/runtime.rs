//! The process-wide part: the engine with its settings, the clock that ends calls, and the checks a
//! module passes before it is compiled.

use std::fmt;
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use tamis_guest::PackBytes;
use tamis_guest::wire::{ABI_SECTION, ABI_VERSION, SIDE_SECTION};
use wasmparser::{Parser, Payload};
use wasmtime::{Config, Engine, ExternType, OptLevel, Strategy};

use crate::bundle::sha256_hex;
use crate::instance::Instance;
use crate::side::Description;
use crate::{LoadError, PackImage, RuntimeConfig, SideConfig, SideModule, cache};

/// How often the clock of the engine ticks. Ending a loop costs at most this more than the deadline.
const TICK: Duration = Duration::from_millis(2);
/// Most functions of a module; the filter has some 700.
const FUNCTIONS_MAX: u32 = 20_000;
/// Largest function, in bytes, and most locals of one: compiling takes more than linear time in both.
const FUNCTION_BYTES_MAX: usize = 512 << 10;
const LOCALS_MAX: u32 = 2_000;
/// Most types, globals and data segments of a module; the filter has some 60, 1 and 3.
const TYPES_MAX: u32 = 2_000;
const GLOBALS_MAX: u32 = 1_000;
const SEGMENTS_MAX: u32 = 10_000;
/// Most elements of its table, which is one.
pub(crate) const TABLE_ELEMENTS_MAX: u64 = 10_000;

/// What all filters of a process share. Make one.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

struct Shared {
    engine: Engine,
    /// For modules of others: counts fuel. Made when the first of them comes.
    side_engine: OnceLock<Engine>,
    config: RuntimeConfig,
    /// Where instances and generations go to be dropped, so that unmapping a large pack stops no scan.
    graveyard: mpsc::Sender<Box<dyn Send>>,
}

/// A filter module: checked and compiled. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Module {
    pub(crate) compiled: wasmtime::Module,
    /// Pages of memory the module asks for, its statics and stack.
    pub(crate) pages: u64,
    wasm: Arc<[u8]>,
    sha256: Arc<str>,
    beside: Arc<[SideModule]>,
}

impl Module {
    /// The module with one of others beside it, which sees the same messages; of their actions the worst wins.
    #[must_use]
    pub fn beside(self, side: SideModule) -> Module {
        let beside = self.beside.iter().cloned().chain([side]).collect();
        Module { beside, ..self }
    }

    /// The modules beside it, in the order in which they were added.
    #[must_use]
    pub fn sides(&self) -> &[SideModule] {
        &self.beside
    }

    /// The module with those beside it that the other has.
    pub(crate) fn with_sides_of(self, other: &Module) -> Module {
        Module { beside: other.beside.clone(), ..self }
    }

    /// The WebAssembly it was compiled from.
    #[must_use]
    pub fn wasm(&self) -> &[u8] {
        &self.wasm
    }

    /// Its SHA-256 in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

impl Runtime {
    /// Starts a runtime: an engine and two threads that sleep.
    ///
    /// # Errors
    /// If this machine cannot run the sandbox.
    pub fn new(config: &RuntimeConfig) -> Result<Runtime, LoadError> {
        let sandbox = |error: wasmtime::Error| LoadError::Sandbox(format!("{error:#}"));
        let engine = Engine::new(&engine_config()).map_err(sandbox)?;

        let ticked = engine.weak();
        let clock = move || {
            while let Some(engine) = ticked.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        };
        let (graveyard, dead) = mpsc::channel::<Box<dyn Send>>();
        let bury = move || dead.into_iter().for_each(drop);
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = thread::Builder::new().name(name.to_owned()).spawn(work);
            thread.map_err(|error| LoadError::Sandbox(format!("no thread: {error}")))
        };
        spawn("tamis-clock", Box::new(clock))?;
        spawn("tamis-drop", Box::new(bury))?;
        Ok(Runtime {
            shared: Arc::new(Shared { engine, side_engine: OnceLock::new(), config: config.clone(), graveyard }),
        })
    }

    /// Checks a module and compiles it. Takes about 0.1 s for the default one.
    ///
    /// # Errors
    /// If it is not a filter module for this version; the check that failed is named.
    pub fn module(&self, wasm: &[u8]) -> Result<Module, LoadError> {
        let Inspected { pages, side } = inspect(wasm, self.shared.config.module_bytes_max)?;
        if side.is_some() {
            return Err(LoadError::Place(
                "the module is one of others, which knows no lists: it goes beside the filter",
            ));
        }
        let pages = pages.ok_or(LoadError::Export("import of `env.memory`"))?;
        let compiled = self.compile(&self.shared.engine, wasm)?;
        check_exports(&compiled)?;
        let sha256 = sha256_hex(wasm).into();
        Ok(Module { compiled, pages, wasm: wasm.into(), sha256, beside: Arc::default() })
    }

    /// Checks a module of others, made with `tamis_guest::sdk`, and compiles it, to run beside the filter with
    /// [`Module::beside`].
    ///
    /// # Errors
    /// If it is none for this version, or does not start with its settings.
    pub fn side_module(&self, wasm: &[u8], config: &SideConfig) -> Result<SideModule, LoadError> {
        let Inspected { pages, side } = inspect(wasm, self.shared.config.module_bytes_max)?;
        let side = side
            .ok_or(LoadError::Place("the module is one for lists: it replaces the filter, and goes not beside it"))?;
        if pages.is_some() {
            return Err(LoadError::Import("env.memory".to_owned()));
        }
        let engine = match self.shared.side_engine.get() {
            Some(engine) => engine,
            None => {
                let engine = Engine::new(&side_engine_config());
                let engine = engine.map_err(|error| LoadError::Sandbox(format!("{error:#}")))?;
                self.shared.side_engine.get_or_init(|| engine)
            }
        };
        let compiled = self.compile(engine, wasm)?;
        check_exports(&compiled)?;
        if compiled.get_export("memory").and_then(|memory| memory.memory().cloned()).is_none() {
            return Err(LoadError::Export("memory `memory`"));
        }
        let module = SideModule::new(compiled, config, side);
        let start = |failure| LoadError::SideStart { module: module.name().to_string(), failure };
        self.bury(Instance::of_side(&module).map_err(start)?);
        Ok(module)
    }

    /// Compiles a module, or takes it from the cache.
    fn compile(&self, engine: &Engine, wasm: &[u8]) -> Result<wasmtime::Module, LoadError> {
        let cache = self.shared.config.module_cache.as_deref();
        if let Some(module) = cache.and_then(|folder| cache::load(folder, engine, wasm)) {
            return Ok(module);
        }
        let compiled = wasmtime::Module::from_binary(engine, wasm);
        let compiled = compiled.map_err(|error| LoadError::NotAModule(format!("{error:#}")))?;
        if let Some(folder) = cache
            && let Err(error) = cache::keep(folder, engine, wasm, &compiled)
        {
            tracing::warn!("a compiled module cannot be kept in {}: {error}", folder.display());
        }
        Ok(compiled)
    }

    /// Checks a pack, as the compiler or a file gives it.
    ///
    /// # Errors
    /// If the bytes are not a pack for this version.
    pub fn pack(&self, bytes: impl Into<PackBytes>) -> Result<PackImage, LoadError> {
        PackImage::new(bytes.into())
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(crate) fn config(&self) -> &RuntimeConfig {
        &self.shared.config
    }

    /// How many ticks of the clock a call may last.
    pub(crate) fn deadline_ticks(&self) -> u64 {
        let ticks = self.shared.config.scan_deadline.as_millis() / TICK.as_millis();
        u64::try_from(ticks).unwrap_or(u64::MAX - 1) + 1
    }

    /// Drops something on another thread.
    pub(crate) fn bury(&self, dead: impl Send + 'static) {
        // If the thread is gone, it is dropped here, which is merely slower.
        let _ = self.shared.graveyard.send(Box::new(dead));
    }
}

fn engine_config() -> Config {
    let mut config = Config::new();
    config.strategy(Strategy::Cranelift).cranelift_opt_level(OptLevel::Speed);
    config.epoch_interruption(true);
    // Threads of the embedder may be small; exhausting a thread's own stack would end the process.
    config.max_wasm_stack(256 << 10);
    // Guard pages instead of bounds checks, and packs mapped copy-on-write.
    config.memory_reservation(4 << 30).memory_guard_size(32 << 20).memory_may_move(false);
    config.memory_init_cow(true).memory_guaranteed_dense_image_size(1 << 30);
    // What a filter has no use for, it does not get.
    config.wasm_memory64(false).wasm_multi_memory(false).wasm_relaxed_simd(false).wasm_tail_call(false);
    config.wasm_simd(true).wasm_bulk_memory(true).wasm_multi_value(true);
    // The same verdict on every processor.
    config.cranelift_nan_canonicalization(true);
    config
}

/// As [`engine_config`], and what runs is counted.
fn side_engine_config() -> Config {
    let mut config = engine_config();
    config.epoch_interruption(false).consume_fuel(true);
    config
}

/// A function that a filter exports.
struct Exported {
    name: &'static str,
    params: &'static str,
    results: &'static str,
    what: &'static str,
}

const fn exported(name: &'static str, params: &'static str, results: &'static str, what: &'static str) -> Exported {
    Exported { name, params, results, what }
}

/// What every filter exports.
const NEEDED: [Exported; 3] = [
    exported("tamis_areas", "", "i64", "function `tamis_areas() -> i64`"),
    exported("tamis_init", "i32 i32 i32", "i32", "function `tamis_init(i32, i32, i32) -> i32`"),
    exported("tamis_scan", "i32 i32", "i32", "function `tamis_scan(i32, i32) -> i32`"),
];
/// What one that judges uploads exports as well: all of it.
const UPLOADS: [Exported; 3] = [
    exported("tamis_upload", "i32 i32", "i32", "function `tamis_upload(i32, i32) -> i32`"),
    exported("tamis_push", "i32", "i32", "function `tamis_push(i32) -> i32`"),
    exported("tamis_finish", "", "i32", "function `tamis_finish() -> i32`"),
];
/// What linkers add, which nobody asks for.
const LINKED: [&str; 2] = ["__data_end", "__heap_base"];

/// Exactly what a filter exports, each of its type: what is misspelt would be missed later.
fn check_exports(compiled: &wasmtime::Module) -> Result<(), LoadError> {
    for export in compiled.exports() {
        let known = NEEDED.iter().chain(&UPLOADS).find(|known| known.name == export.name());
        let is_good = match (export.ty(), known) {
            (ExternType::Func(ty), Some(known)) => {
                signature(ty.params()) == known.params && signature(ty.results()) == known.results
            }
            (ExternType::Memory(_), None) => export.name() == "memory",
            (ExternType::Global(_), None) => LINKED.contains(&export.name()),
            _ => false,
        };
        match known {
            _ if is_good => {}
            Some(known) => return Err(LoadError::Export(known.what)),
            None => return Err(LoadError::Extra(export.name().to_owned())),
        }
    }
    let is_missing = |known: &&Exported| compiled.get_export(known.name).is_none();
    let uploads = if UPLOADS.iter().all(|known| is_missing(&known)) { &[][..] } else { &UPLOADS };
    NEEDED.iter().chain(uploads).find(is_missing).map_or(Ok(()), |missing| Err(LoadError::Export(missing.what)))
}

/// What a module says before it is compiled.
struct Inspected {
    /// Pages of the memory that it imports, if it does.
    pages: Option<u64>,
    /// What it says of itself, if it is one of others.
    side: Option<Description>,
}

/// Looks at a module before anything is compiled: the boundary's version, imports, size and shape.
fn inspect(wasm: &[u8], bytes_max: usize) -> Result<Inspected, LoadError> {
    let not_a_module = |reason: String| LoadError::NotAModule(reason);
    if wasm.len() > bytes_max {
        return Err(not_a_module(format!("{} bytes, the limit is {bytes_max}", wasm.len())));
    }
    if Engine::detect_precompiled(wasm).is_some() {
        return Err(not_a_module("machine code; only WebAssembly is accepted, and compiled here".to_owned()));
    }
    if !wasm.starts_with(b"\0asm") {
        return Err(not_a_module("it does not begin like WebAssembly".to_owned()));
    }
    let mut version = None;
    let mut pages = None;
    let mut side = None;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(|error| not_a_module(error.to_string()))? {
            Payload::CustomSection(section) if section.name() == ABI_SECTION => {
                version = section.data().try_into().ok().map(u32::from_le_bytes);
            }
            Payload::CustomSection(section) if section.name() == SIDE_SECTION => {
                side = Some(Description::parse(section.data())?);
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import.map_err(|error| not_a_module(error.to_string()))?;
                    match import.ty {
                        wasmparser::TypeRef::Memory(memory)
                            if (import.module, import.name) == ("env", "memory")
                                && pages.is_none()
                                && !memory.memory64
                                && !memory.shared
                                && memory.maximum.is_none() =>
                        {
                            pages = Some(memory.initial);
                        }
                        _ => return Err(LoadError::Import(format!("{}.{}", import.module, import.name))),
                    }
                }
            }
            Payload::CodeSectionStart { count, .. } if count > FUNCTIONS_MAX => {
                return Err(not_a_module(format!("{count} functions, the limit is {FUNCTIONS_MAX}")));
            }
            Payload::TypeSection(types) if types.count() > TYPES_MAX => {
                return Err(not_a_module(format!("{} types, the limit is {TYPES_MAX}", types.count())));
            }
            Payload::GlobalSection(globals) if globals.count() > GLOBALS_MAX => {
                return Err(not_a_module(format!("{} globals, the limit is {GLOBALS_MAX}", globals.count())));
            }
            Payload::DataSection(data) if data.count() > SEGMENTS_MAX => {
                return Err(not_a_module(format!("{} data segments, the limit is {SEGMENTS_MAX}", data.count())));
            }
            Payload::TableSection(tables) => {
                for table in tables.clone() {
                    let elements = table.map_err(|error| not_a_module(error.to_string()))?.ty.initial;
                    if tables.count() > 1 || elements > TABLE_ELEMENTS_MAX {
                        let limit = format!("the limit is one of {TABLE_ELEMENTS_MAX}");
                        return Err(not_a_module(format!(
                            "{} tables, of {elements} elements; {limit}",
                            tables.count()
                        )));
                    }
                }
            }
            Payload::CodeSectionEntry(body) => {
                let length = body.range().len();
                if length > FUNCTION_BYTES_MAX {
                    return Err(not_a_module(format!(
                        "a function of {length} bytes, the limit is {FUNCTION_BYTES_MAX}"
                    )));
                }
                let locals = body.get_locals_reader().map_err(|error| not_a_module(error.to_string()))?;
                let mut count = 0u32;
                for local in locals {
                    count = count.saturating_add(local.map_err(|error| not_a_module(error.to_string()))?.0);
                }
                if count > LOCALS_MAX {
                    return Err(not_a_module(format!("a function with {count} locals, the limit is {LOCALS_MAX}")));
                }
            }
            _ => {}
        }
    }
    match version {
        None => return Err(LoadError::Export("custom section `tamis_abi`")),
        Some(ABI_VERSION) => {}
        Some(found) => return Err(LoadError::Abi { expected: ABI_VERSION, found }),
    }
    Ok(Inspected { pages, side })
}

fn signature(types: impl Iterator<Item = wasmtime::ValType>) -> String {
    types.map(|ty| ty.to_string()).collect::<Vec<_>>().join(" ")
}
