import { getCompileCacheDir } from 'node:module';
import type { Clock } from '../../common/clock.ts';
import type { LogOutput } from '../../common/log-output.ts';
import type { LogLevel } from '../../common/logger.ts';
import type { ClusterRow } from '../admin/cluster-rows.ts';
import type { Readiness } from '../admin/readiness.ts';
import type { Address, SidecarConfig } from '../config.ts';
import type { ServiceNames } from '../discovery/discovery.ts';
import type { IdentityView } from '../identity/certificate-store.ts';
import type { Identity, IdentityMaterial } from '../identity/identity.ts';
import type { SidecarProxy } from '../proxy.ts';
import type { MetricsPart } from '../telemetry/metrics-part.ts';
import type { SharedCells } from './cells.ts';
import type { Drainable } from './drain-in-order.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import type { News } from './place.ts';
import { clockOriginMs } from './thread-clock.ts';
import { WorkerLink } from './worker-link.ts';

/** The condition of readiness that all workers can serve. */
const WORKERS = 'workers';

export interface WorkerGroupOptions {
  readonly config: SidecarConfig;
  readonly version: string;
  readonly discovery: ServiceNames;
  readonly controlled: boolean;
  readonly identities: IdentityView;
  readonly cells: SharedCells;
  /** The first worker. It listens. */
  readonly proxy: SidecarProxy;
  readonly readiness: Readiness;
  readonly output: Pick<LogOutput, 'write'>;
  readonly clock: Clock;
}

/**
 * The workers but the first: hands them what the first thread knows, and gathers what they count and write. One that dies takes the sidecar along, as
 * an error of the only worker would: `failed` says so. Owned by `main`.
 */
export class WorkerGroup implements Drainable, AsyncDisposable {
  /** Fails when a worker has died. */
  readonly failed: Promise<never>;
  private readonly options: WorkerGroupOptions;
  private readonly links: readonly WorkerLink[];
  private readonly unsubscribe: readonly (() => void)[];
  private readonly notReady: Set<number>;

  /** Starts them. */
  constructor(options: WorkerGroupOptions) {
    this.options = options;
    const { config, version, discovery, controlled, identities, cells, proxy, readiness } = options;
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    promise.catch(() => {});
    const numbers = Array.from({ length: config.workers - 1 }, (_, at) => at + 1);
    this.notReady = new Set(numbers);
    readiness.require(WORKERS, 'Not every worker has started.');
    const start = {
      config,
      version,
      snapshot: discovery.snapshots.value,
      cells: cells.take(),
      identity: identities.current && materialOf(identities.current),
      controlled,
      addresses: new Map<string, Address>(proxy.listeners.map(({ name, address }) => [name, address])),
      clockOriginMs: clockOriginMs(),
      compileCache: getCompileCacheDir(),
    };
    this.links = numbers.map(
      number =>
        new WorkerLink({
          start: { ...start, number },
          onMessage: message => this.hear(number, message),
          clock: options.clock,
          onDeath: cause => reject(new Error(`worker ${number} has died: ${cause}`)),
        }),
    );
    this.unsubscribe = [
      discovery.snapshots.subscribe(snapshot => this.tellAll({ kind: 'snapshot', snapshot, cells: cells.take() })),
      identities.onChange(identity => this.tellAll({ kind: 'identity', material: materialOf(identity) })),
    ];
  }

  /** Settles when all of them listen. @throws why one does not. */
  async listen(): Promise<void> {
    await Promise.all(this.links.map(link => link.listening));
  }

  /** To all but `except`. */
  tell(news: News, except?: number): void {
    for (const [at, link] of this.links.entries()) if (at + 1 !== except) link.post({ kind: 'news', news });
  }

  setLogLevel(level: LogLevel): void {
    this.tellAll({ kind: 'logLevel', level });
  }

  metrics(): Promise<MetricsPart[]> {
    return Promise.all(this.links.map(link => link.ask('metrics')));
  }

  clusters(): Promise<(readonly ClusterRow[])[]> {
    return Promise.all(this.links.map(link => link.ask('clusters')));
  }

  async drainFromPeers(withinMs: number): Promise<void> {
    await Promise.all(this.links.map(link => link.askWithin('drainFromPeers', withinMs)));
  }

  async drainFromApp(withinMs: number): Promise<void> {
    await Promise.all(this.links.map(link => link.askWithin('drainFromApp', withinMs)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.unsubscribe) stop();
    await Promise.all(this.links.map(link => link.close()));
  }

  private tellAll(message: ToWorker): void {
    for (const link of this.links) link.post(message);
  }

  private hear(number: number, message: Exclude<FromWorker, { readonly kind: 'listening' | 'answer' }>): void {
    const { discovery, proxy, readiness, output } = this.options;
    switch (message.kind) {
      case 'lines':
        for (const line of message.lines) output.write(line);
        return;
      case 'find': {
        const { target } = message;
        const found = this.links[number - 1];
        if (discovery.lookup(target) === 'unknown')
          discovery.wait(target, result => found?.post({ kind: 'found', target, result }));
        else found?.post({ kind: 'found', target, result: discovery.lookup(target) as 'known' | 'not-in-mesh' });
        return;
      }
      case 'used':
        discovery.lookup(message.target);
        return;
      case 'news':
        proxy.hear(message.news);
        this.tell(message.news, number);
        return;
      case 'ready':
        this.notReady.delete(number);
        if (this.notReady.size === 0) readiness.meet(WORKERS);
        return;
      default:
        message satisfies never;
    }
  }
}

const materialOf = ({ certificatePem, keyPem, trustBundlePem }: Identity): IdentityMaterial => ({
  certificatePem,
  keyPem,
  trustBundlePem,
});
