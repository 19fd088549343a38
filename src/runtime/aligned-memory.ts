/**
 * Memory that begins at a page boundary, as direct I/O (open(2), `O_DIRECT`) asks for. Node tells no addresses; the engine
 * maps WebAssembly memories page by page.
 */

/** What is used of the engine's global: its types come with those of browsers only. */
declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number; readonly shared: true }) => {
    readonly buffer: SharedArrayBuffer;
  };
};

const WASM_PAGE_BYTES = 65_536;

let refused = false;

/**
 * At least `bytes` of shared memory, zeroed, pages of which take memory when they are first used. Not aligned where the
 * process is refused the address space (some GiB are reserved behind each): who writes it must bear `EINVAL`.
 */
export function alignedMemory(bytes: number): SharedArrayBuffer {
  const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
  if (!refused) {
    try {
      return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer;
    } catch {
      refused = true;
    }
  }
  return new SharedArrayBuffer(pages * WASM_PAGE_BYTES);
}
