import type { Address, SidecarConfig } from './config.ts';

/** What an app is told of the sidecar beside it. */
export interface Beside {
  readonly config: SidecarConfig;
  /** Open, with the ports that they really have. */
  readonly listeners: readonly { readonly name: string; readonly address: Address }[];
  readonly admin: Address;
  readonly metrics: Address;
  /** The app takes connections: callers may be sent to it. */
  readonly appIsUp: () => void;
  /** Ends both, in order. */
  readonly quit: () => void;
}

/** The app beside a sidecar, where one program runs both (`outrider run`). */
export interface Companion {
  /** The sidecar's listeners are open: the app may start. */
  start(beside: Beside): void;
  /** Nobody calls the app any more: ends it. Settles when it is gone, at the latest after `withinMs`. */
  stop(withinMs: number): Promise<void>;
}
