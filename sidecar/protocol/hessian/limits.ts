/** What a Hessian caller may say before its arguments. Checked before anything is kept. */

/** Of a call, up to the end of its method's name: so much is looked at before the request can be routed. */
export const MAX_ENVELOPE_BYTES = 8_192;
/** Characters of a method's name. */
export const MAX_NAME_LENGTH = 255;
/** Lists and maps in each other, in the value of a header. */
export const MAX_DEPTH = 64;
/** A call whose envelope is not there by then is refused. */
export const ENVELOPE_TIMEOUT_MS = 60_000;
/** Of a reply: so much is looked at for a fault. */
export const MAX_REPLY_BYTES = 1_024;
