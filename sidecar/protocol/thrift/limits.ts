/** What a Thrift peer may say. Checked before anything is kept. */

/** One message. Apache Thrift: TConfiguration.MaxMessageSize. */
export const MAX_MESSAGE_BYTES = 104_857_600;
/** The name of a method, with the service of a multiplexed one. */
export const MAX_NAME_BYTES = 255;
/** Structs and containers in each other. Apache Thrift: TConfiguration.RecursionLimit. */
export const MAX_DEPTH = 64;
/** The part of a THeader message before its payload. */
export const MAX_THEADER_BYTES = 8_192;
/** How far a `TApplicationException` is read for its type. */
export const MAX_EXCEPTION_BYTES = 1_024;
/** Delivered and not yet passed on, in one direction of one call. */
export const WINDOW_BYTES = 65_536;
