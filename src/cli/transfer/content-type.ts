/** Content-Type by the end of a name: what browsers need to show a file; anything else is octets. */

const TYPES: Readonly<Record<string, string>> = {
  avi: "video/x-msvideo", avif: "image/avif", bmp: "image/bmp", bz2: "application/x-bzip2", css: "text/css; charset=utf-8",
  csv: "text/csv", doc: "application/msword", eot: "application/vnd.ms-fontobject", epub: "application/epub+zip",
  flac: "audio/flac", gif: "image/gif", gz: "application/gzip", htm: "text/html; charset=utf-8",
  html: "text/html; charset=utf-8", ico: "image/x-icon", ics: "text/calendar", jar: "application/java-archive",
  jpeg: "image/jpeg", jpg: "image/jpeg", js: "text/javascript; charset=utf-8", json: "application/json",
  log: "text/plain", m4a: "audio/mp4", md: "text/markdown", mjs: "text/javascript; charset=utf-8", mkv: "video/x-matroska",
  mov: "video/quicktime", mp3: "audio/mpeg", mp4: "video/mp4", mpeg: "video/mpeg", ogg: "audio/ogg", otf: "font/otf",
  parquet: "application/vnd.apache.parquet", pdf: "application/pdf", png: "image/png", ppt: "application/vnd.ms-powerpoint",
  ps: "application/postscript", rtf: "application/rtf", svg: "image/svg+xml", tar: "application/x-tar", tgz: "application/gzip",
  tif: "image/tiff", tiff: "image/tiff", ts: "video/mp2t", ttf: "font/ttf", txt: "text/plain", wasm: "application/wasm",
  wav: "audio/wav", webm: "video/webm", webp: "image/webp", woff: "font/woff", woff2: "font/woff2",
  xls: "application/vnd.ms-excel", xml: "text/xml; charset=utf-8", xz: "application/x-xz", yaml: "application/yaml",
  yml: "application/yaml", zip: "application/zip", zst: "application/zstd",
};

/** Content-Type for a file name or key. */
export function contentType(name: string): string {
  const dot = name.lastIndexOf(".");
  const ending = dot < 0 ? "" : name.slice(dot + 1).toLowerCase();
  return (Object.hasOwn(TYPES, ending) ? TYPES[ending] : undefined) ?? "application/octet-stream";
}
