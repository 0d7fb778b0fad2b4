/** Keeps the status of routes in the store as translation sees it. */
import { isDeepStrictEqual } from 'node:util';
import type { BaseLogger } from 'pino';
import { GRPC_ROUTE } from '../../api/grpc-route.ts';
import { HTTP_ROUTE } from '../../api/http-route.ts';
import type { ResourceKind } from '../../api/resource-kind.ts';
import { RPC_ROUTE } from '../../api/rpc-route.ts';
import type { Clock } from '../../common/clock.ts';
import { type ResourceStore, StoreError } from '../store/resource-store.ts';
import type { Route } from './route.ts';
import { routeStatus } from './route-status.ts';
import type { World } from './world.ts';

const KINDS = { HTTPRoute: HTTP_ROUTE, GRPCRoute: GRPC_ROUTE, RPCRoute: RPC_ROUTE };

/** Owned by the push server; lives as long as it. */
export class RouteStatusWriter {
  readonly #store: ResourceStore;
  readonly #world: World;
  readonly #clock: Clock;
  readonly #log: BaseLogger;
  readonly #dirty = new Map<string, Route>();
  #running: Promise<void> | undefined;

  constructor(store: ResourceStore, world: World, clock: Clock, log: BaseLogger) {
    this.#store = store;
    this.#world = world;
    this.#clock = clock;
    this.#log = log;
  }

  /** The status of these routes may be another one now. */
  touch(routes: Iterable<Route>): void {
    for (const route of routes)
      this.#dirty.set(`${route.kind}/${route.metadata.namespace}/${route.metadata.name}`, route);
    if (this.#dirty.size > 0) this.#running ??= this.#run();
  }

  /** Resolves when every touched status is written. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // After the events that arrived together.
    await Promise.resolve();
    for (const [id, route] of this.#dirty) {
      this.#dirty.delete(id);
      await this.#write(route).catch((error: unknown) => {
        // A newer version of the route comes with an event of its own; a deleted one needs no status.
        if (error instanceof StoreError && (error.code === 'conflict' || error.code === 'not-found')) return;
        this.#log.error({ err: error, route: id }, 'the status of a route cannot be written');
      });
    }
    this.#running = undefined;
  }

  async #write({ kind, metadata }: Route): Promise<void> {
    const type = KINDS[kind] as ResourceKind<Route>;
    const present = await this.#store.get(type, metadata.namespace ?? '', metadata.name);
    if (present === undefined) return;
    const status = { parents: routeStatus(this.#world, present as Route, this.#clock.wallMs()) };
    if (isDeepStrictEqual(JSON.parse(JSON.stringify(status)), present.status ?? { parents: [] })) return;
    await this.#store.updateStatus(
      type,
      metadata.namespace ?? '',
      metadata.name,
      status,
      present.metadata.resourceVersion,
    );
  }
}
