/** What the HTTP/1 codec accepts at most. None can be configured: each is far above what RPC traffic needs. */

/** A request line or status line, in bytes without its CRLF. nginx: 8 KiB (large_client_header_buffers), Envoy: within 60 KiB. */
export const MAX_START_LINE_BYTES = 16_384;
/** A whole head with its start line and the empty line. Envoy: 60 KiB (max_request_headers_kb). */
export const MAX_HEAD_BYTES = 65_536;
/** Fields in one head or trailer section. Envoy: 100 (max_headers_count). */
export const MAX_FIELDS = 200;
/** A chunk-size line with its extensions. Extensions have no use here, and were a way to make proxies work (CVE-2023-39326). */
export const MAX_CHUNK_LINE_BYTES = 256;
/** Chunk extensions of one body in all. */
export const MAX_CHUNK_EXTENSION_BYTES = 16_384;
/** A trailer section. */
export const MAX_TRAILER_BYTES = 16_384;
/** Interim responses before the final one. */
export const MAX_INFORMATIONAL = 32;
/** Delivered bytes of a body that its sink has not passed on yet. */
export const WINDOW_BYTES = 65_536;
/** Above so many unwritten bytes a socket counts as congested, and its source gets no more credit; the lower one when the budget is tight. */
export const CONGESTED_BYTES = 262_144;
export const CONGESTED_BYTES_WHEN_TIGHT = 32_768;
/** How long a closing server connection goes on reading and dropping, so that a reset does not destroy the answer on its way. nginx: lingering_timeout 5 s. */
export const LINGER_MS = 5_000;
