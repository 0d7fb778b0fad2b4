import type { LogLevel } from '../../common/logger.ts';
import type { ReadinessState } from './readiness.ts';

/** A line of a table. Names are `snake_case`, and the same in the text and in the JSON. */
export type Row = Readonly<Record<string, string | number | boolean>>;

/** What `/server_info` tells. */
export interface ServerInfo {
  readonly version: string;
  readonly node_version: string;
  readonly pid: number;
  readonly state: 'starting' | 'ready' | 'draining';
  readonly uptime_seconds: number;
  readonly service: string;
  readonly namespace: string;
  /** SPIFFE id; '' until there is a certificate. */
  readonly identity: string;
  /** The one that it is connected to; '' while there is none. */
  readonly control_plane: string;
  readonly config_version: string;
  readonly endpoint_version: string;
  readonly workers: number;
}

/** What the admin server shows and can set off. The owners of it implement this; nothing here may hold a private key. */
export interface AdminSources {
  ready(): ReadinessState;
  serverInfo(): ServerInfo;
  /** The configuration and the snapshot in use. */
  configDump(): unknown;
  /** One row per endpoint. */
  clusters(): readonly Row[] | Promise<readonly Row[]>;
  /** One row per certificate in use. */
  certs(): readonly Row[];
  listeners(): readonly Row[];
  /** All metrics, as `/metrics` shows them. */
  stats(): AsyncIterable<string>;
  /** Stops taking new work; what runs may end. Returns at once. */
  drain(): void;
  /** Drains, then ends the process. Returns at once. */
  quit(): void;
  setLogLevel(level: LogLevel): void;
}
