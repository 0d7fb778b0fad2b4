/** The app at the end of a chain: it answers every request alike, and counts them. */
import type { Children } from '../chain/children.ts';
import type { AppProtocol } from '../peers/peer.ts';

/** Body of every small answer: 100 bytes of JSON. */
export const SMALL_BODY =
  '{"message":"hello from the app behind two proxies, a small JSON body of one hundred bytes","n":1234}';

/** Bytes of `/1mb` and `/large` of the HTTP/1.1 app. */
export const MEGABYTE = 1_048_576;
export const LARGE_BYTES = 1_024 * MEGABYTE;

export interface RunningApp {
  readonly protocol: AppProtocol;
  /** On 127.0.0.1. */
  readonly port: number;
  /** Requests that it has got so far. */
  count(): Promise<number>;
  stop(): Promise<void>;
}

export type StartApp = (children: Children, directory: string) => Promise<RunningApp>;
