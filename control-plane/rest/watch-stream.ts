/** A watch over HTTP: one JSON object a line. Kubernetes API concepts, "Efficient detection of changes". */

import type { ServerResponse } from 'node:http';
import type { Stored } from '../../api/object.ts';
import { apiVersionOf, type ResourceKind } from '../../api/resource-kind.ts';
import type { Clock, Timer } from '../../common/clock.ts';
import type { ResourceEvent, ResourceStore, Watch, WatchQuery } from '../store/resource-store.ts';

/** A client that reads too slowly is cut off, and goes on from the last version that it saw. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;
const BOOKMARK_INTERVAL_MS = 30_000;

export interface WatchRequest {
  readonly kind: ResourceKind;
  readonly query: WatchQuery;
  /** undefined: first what there is, then what changes. */
  readonly fromVersion: string | undefined;
  readonly bookmarks: boolean;
  /** End the initial objects with a bookmark that says so. Kubernetes: sendInitialEvents. */
  readonly markInitialEnd: boolean;
  readonly timeoutMs: number;
  /** The form in which objects are sent: themselves, or tables. */
  readonly render: (objects: readonly Stored[], resourceVersion: string) => object;
}

/** Owned by the REST server; open watches end with it. */
export class WatchStreams {
  readonly #store: ResourceStore;
  readonly #clock: Clock;
  readonly #open = new Set<() => void>();

  constructor(store: ResourceStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Answers on `response`, once the watch stands. @throws StoreError `expired`, before anything is sent. */
  async serve(request: WatchRequest, response: ServerResponse): Promise<void> {
    const { kind, query, render } = request;
    const send = (type: string, object: object) => {
      if (ended) return;
      response.write(`${JSON.stringify({ type, object })}\n`);
      if (response.writableLength > MAX_UNREAD_BYTES) end();
    };
    const timers: Timer[] = [];
    let watch: Watch | undefined;
    let ended = false;
    const end = () => {
      if (ended) return;
      ended = true;
      watch?.close();
      for (const timer of timers) timer.cancel();
      this.#open.delete(end);
      // Not `end()` for a client that does not read: it would wait for it.
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
      else response.end();
    };
    const onEvent = ({ type, object, resourceVersion }: ResourceEvent) => send(type, render([object], resourceVersion));
    const bookmark = (annotations: object = {}) =>
      send('BOOKMARK', { ...emptyObject(kind), metadata: { resourceVersion: this.#store.version(), ...annotations } });

    let from = request.fromVersion;
    let initial: readonly Stored[] = [];
    if (from === undefined) ({ items: initial, resourceVersion: from } = await this.#store.list(kind, query));
    const early: ResourceEvent[] = [];
    const sink = {
      deliver: (event: ResourceEvent): void => {
        early.push(event);
      },
    };
    watch = await this.#store.watch(query, from, event => sink.deliver(event));
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
    response.flushHeaders();
    response.on('close', end);
    this.#open.add(end);
    for (const object of initial) send('ADDED', render([object], object.metadata.resourceVersion));
    sink.deliver = onEvent;
    for (const event of early) onEvent(event);
    if (request.markInitialEnd) bookmark({ annotations: { 'k8s.io/initial-events-end': 'true' } });
    if (ended) return;
    const repeat = () => {
      bookmark();
      timers[0] = this.#clock.setTimer(BOOKMARK_INTERVAL_MS, repeat);
    };
    timers[0] = this.#clock.setTimer(
      request.bookmarks ? BOOKMARK_INTERVAL_MS : request.timeoutMs,
      request.bookmarks ? repeat : end,
    );
    timers[1] = this.#clock.setTimer(request.timeoutMs, end);
  }

  close(): void {
    for (const end of this.#open) end();
  }
}

const emptyObject = (kind: ResourceKind) => ({ kind: kind.kind, apiVersion: apiVersionOf(kind) });
