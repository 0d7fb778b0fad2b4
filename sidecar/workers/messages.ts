/** What the first thread and a further worker say to each other. All of it is copied, but for memory that is shared. */
import type { Snapshot } from '../../api/snapshot.ts';
import type { LogLevel } from '../../common/logger.ts';
import type { ClusterRow } from '../admin/cluster-rows.ts';
import type { Address, SidecarConfig } from '../config.ts';
import type { WaitResult } from '../discovery/discovery.ts';
import type { IdentityMaterial } from '../identity/identity.ts';
import type { MetricsPart } from '../telemetry/metrics-part.ts';
import type { CellMap } from './cells.ts';
import type { News } from './place.ts';

/** What a worker begins with. */
export interface WorkerStart {
  readonly config: SidecarConfig;
  readonly version: string;
  readonly number: number;
  readonly snapshot: Snapshot;
  readonly cells: CellMap;
  readonly identity: IdentityMaterial | undefined;
  /** There is a control plane, which the first thread asks. */
  readonly controlled: boolean;
  readonly addresses: ReadonlyMap<string, Address>;
  /** Where the first thread's clock started. */
  readonly clockOriginMs: number;
  readonly compileCache: string | undefined;
}

/** Questions, and what each is answered with. */
export interface Answers {
  readonly metrics: MetricsPart;
  readonly clusters: readonly ClusterRow[];
  /** It is done. */
  readonly drainFromPeers: true;
  readonly drainFromApp: true;
  readonly close: true;
}
export type Question = keyof Answers;

export type ToWorker =
  /** `cells`: of what is new in it. */
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot; readonly cells: CellMap }
  | { readonly kind: 'identity'; readonly material: IdentityMaterial }
  | { readonly kind: 'found'; readonly target: string; readonly result: WaitResult }
  | { readonly kind: 'news'; readonly news: News }
  | { readonly kind: 'logLevel'; readonly level: LogLevel }
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question; readonly withinMs: number };

export type FromWorker =
  | { readonly kind: 'listening' }
  /** It can serve: it has a configuration and a certificate. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  /** The control plane is asked for it. */
  | { readonly kind: 'find'; readonly target: string }
  /** It is in use. */
  | { readonly kind: 'used'; readonly target: string }
  | { readonly kind: 'news'; readonly news: News }
  | { readonly kind: 'answer'; readonly id: number; readonly value: Answers[Question] };
