//! A pack as a WebAssembly module without code, which defines the memory with the pack in it. The filter
//! imports that memory, and every instance maps the same pages copy-on-write: N workers hold one pack.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tamis_guest::{Pack, PackBytes};
use wasm_encoder::{
    ConstExpr, Encode as _, ExportKind, ExportSection, MemorySection, MemoryType, Module as Encoder, SectionId,
};
use wasmtime::Engine;

use crate::LoadError;

/// How often the image of a memory is tried to be made, and how long is waited between.
const IMAGE_TRIES: usize = 10;
const IMAGE_PAUSE: Duration = Duration::from_millis(20);
/// Number and length of a section, at most.
const SECTION_HEAD_BYTES_MAX: usize = 6;
/// Bytes of a WebAssembly page.
pub(crate) const PAGE: u64 = 64 << 10;

/// A pack, checked and ready to be mapped. Cloning shares it.
#[derive(Clone)]
pub struct PackImage {
    bytes: Arc<PackBytes>,
    /// The module of the last generation it was in: admission and the swap after it need the same one.
    mapped: Arc<Mutex<Option<Mapped>>>,
}

#[derive(Clone)]
struct Mapped {
    pages: u64,
    module: wasmtime::Module,
}

impl fmt::Debug for PackImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackImage").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// Makes the image that instances of a module map, if it is not there yet. Linux refuses to seal one while some of its
/// pages are still held by whatever put them there, which passes.
pub(crate) fn make_image(module: &wasmtime::Module) -> wasmtime::Result<()> {
    for _ in 1..IMAGE_TRIES {
        if module.initialize_copy_on_write_image().is_ok() {
            return Ok(());
        }
        thread::sleep(IMAGE_PAUSE);
    }
    module.initialize_copy_on_write_image()
}

impl PackImage {
    pub(crate) fn new(bytes: PackBytes) -> Result<PackImage, LoadError> {
        Pack::decode(&bytes)?;
        Ok(PackImage::compiled(Arc::new(bytes)))
    }

    /// A pack that was compiled here a moment ago. Whoever gets its bytes from elsewhere checks them, and so does the
    /// filter when it starts.
    pub(crate) fn compiled(bytes: Arc<PackBytes>) -> PackImage {
        PackImage { bytes, mapped: Arc::default() }
    }

    /// Checks a pack and makes it ready to be mapped behind `pages` of a filter, both at once.
    pub(crate) fn mapped(bytes: PackBytes, engine: &Engine, pages: u64) -> Result<PackImage, LoadError> {
        let image = PackImage::compiled(Arc::new(bytes));
        let (module, checked) = thread::scope(|scope| {
            let module = scope.spawn(|| image.memory_module(engine, pages));
            let checked = Pack::decode(&image.bytes).map(|_| ());
            let none = |_| Err(LoadError::Sandbox("the pack cannot be mapped".to_owned()));
            (module.join().unwrap_or_else(none), checked)
        });
        checked?;
        // The first instance would do it otherwise, when it is waited for.
        make_image(&module?).map_err(|error| LoadError::Sandbox(format!("{error:#}")))?;
        Ok(image)
    }

    /// The pack, to look terms and categories up in. Costs a look at its header.
    ///
    /// # Panics
    /// Never: the bytes were decoded when the image was made, or come from the compiler.
    #[must_use]
    pub fn pack(&self) -> Pack<'_> {
        Pack::decode_layout(&self.bytes).expect("decoded when the image was made, or just compiled")
    }

    /// The bytes of the pack.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the pack begins in the memory of a filter that itself needs `pages`.
    pub(crate) fn address(pages: u64) -> u64 {
        pages * PAGE
    }

    /// The module that defines a memory with the pack behind the filter's own `pages`.
    pub(crate) fn memory_module(&self, engine: &Engine, pages: u64) -> Result<wasmtime::Module, LoadError> {
        let mut mapped = self.mapped.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fit = |mapped: &&Mapped| mapped.pages == pages && Engine::same(mapped.module.engine(), engine);
        if let Some(known) = mapped.as_ref().filter(is_fit) {
            return Ok(known.module.clone());
        }
        let module = self.make_module(engine, pages)?;
        *mapped = Some(Mapped { pages, module: module.clone() });
        Ok(module)
    }

    fn make_module(&self, engine: &Engine, pages: u64) -> Result<wasmtime::Module, LoadError> {
        let mut memories = MemorySection::new();
        let minimum = pages + (self.bytes.len() as u64).div_ceil(PAGE);
        memories.memory(MemoryType { minimum, maximum: None, memory64: false, shared: false, page_size_log2: None });
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        let mut module = Encoder::new();
        module.section(&memories).section(&exports);
        let mut module = module.finish();
        // One segment, written here: an encoder would copy the pack twice on its way.
        let mut head = Vec::new();
        1u32.encode(&mut head);
        0u32.encode(&mut head);
        let address = i32::from_le_bytes((PackImage::address(pages) as u32).to_le_bytes());
        ConstExpr::i32_const(address).encode(&mut head);
        self.bytes.len().encode(&mut head);
        module.reserve_exact(head.len() + self.bytes.len() + SECTION_HEAD_BYTES_MAX);
        module.push(SectionId::Data.into());
        (head.len() + self.bytes.len()).encode(&mut module);
        module.extend_from_slice(&head);
        module.extend_from_slice(&self.bytes);
        wasmtime::Module::from_binary(engine, &module).map_err(|error| LoadError::Sandbox(format!("{error:#}")))
    }
}
