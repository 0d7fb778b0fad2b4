import { flushCompileCache } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../failure.ts';
import { type Edge, edgesOf } from './edges.ts';
import { EmbeddedMesh } from './embedded-mesh.ts';
import { freePorts } from './free-ports.ts';
import { Instance } from './instance.ts';
import { edgeTable, progressLine, type Summary } from './report.ts';
import { parseSamples } from './samples.ts';
import type { Screen } from './screen.ts';
import { type Member, objectsOfShop, SERVICES, SHOPPER } from './shop.ts';

const READY_MS = 60_000;
const LOOK_EVERY_MS = 100;
const SHOW_EVERY_MS = 1_000;
const END_MS = 10_000;

export interface DemoOptions {
  /** Undefined: until `stop`. */
  readonly durationMs: number | undefined;
  readonly screen: Screen;
  /** The user has had enough. */
  readonly stop: AbortSignal;
}

/** Starts the mesh and the shop, watches them, ends them. @throws Failure when one of the processes does not start or ends by itself. */
export const runDemo = async ({ durationMs, screen, stop }: DemoOptions): Promise<Summary | undefined> => {
  await using mesh = await EmbeddedMesh.start();
  const instances: Instance[] = [];
  const killAll = (): void => {
    for (const instance of instances) instance.kill();
  };
  process.once('exit', killAll);
  // Before the control plane, which would wait for sidecars that just connect to it.
  await using endings = new AsyncDisposableStack();
  endings.defer(async () => {
    await Promise.all(instances.map(instance => instance.stop(END_MS)));
    process.off('exit', killAll);
  });
  screen.step('A control plane runs in this process, on an embedded store.');
  await compileOnce();
  const ports = await freePorts(2 * (SERVICES.length + 1), Math.random);
  const place = (i: number) => ({ port: ports[2 * i] ?? 0, metricsPort: ports[2 * i + 1] ?? 0, env: mesh.env });
  await mesh.create(objectsOfShop(name => place(SERVICES.findIndex(({ service }) => service === name)).port));
  instances.push(...SERVICES.map((member, i) => new Instance(member, place(i))));
  const shoppers = new Shoppers(SHOPPER, place(SERVICES.length));
  instances.push(shoppers.instance);
  screen.step(`${SERVICES.map(({ service }) => service).join(', ')}: each starts behind a sidecar of its own.`);
  const allReady = async (): Promise<boolean> =>
    (await mesh.healthyWorkloads()) === SERVICES.length &&
    (await Promise.all(instances.map(instance => instance.isReady()))).every(ready => ready);
  if (!(await waitFor(allReady, instances, stop))) return undefined;

  shoppers.instance.say('go');
  if (!(await waitFor(() => shoppers.firstAnswerMs > 0, instances, stop))) return undefined;
  screen.step(
    `Shoppers are in the shop; the first was served ${(shoppers.firstAnswerMs / 1_000).toFixed(1)} s after the start.\n`,
  );
  const startedAtMs = performance.now();
  await watch(instances, screen, stop, durationMs ?? Number.POSITIVE_INFINITY);
  const { sent, failed } = await shoppers.finish();
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const edges = edgesOf(await samplesOf(instances), true);
  return { edges, sent, failed, firstAnswerSeconds: round(shoppers.firstAnswerMs / 1_000), seconds: round(seconds) };
};

/** What every sidecar loads goes into the compile cache here, once, instead of in all of them at the same time. */
const compileOnce = async (): Promise<void> => {
  await Promise.all([import('../run.ts'), import('../run/unit.ts'), import('../../sidecar/main.ts')]);
  flushCompileCache();
};

const round = (seconds: number): number => Math.round(seconds * 10) / 10;

/** The load, and what it says of itself. */
class Shoppers {
  readonly instance: Instance;
  /** Since this process started; 0: there was none yet. */
  firstAnswerMs = 0;
  private readonly result: Promise<{ readonly sent: number; readonly failed: number }>;

  constructor(member: Member, place: ConstructorParameters<typeof Instance>[1]) {
    const { promise, resolve } = Promise.withResolvers<{ readonly sent: number; readonly failed: number }>();
    this.result = promise;
    this.instance = new Instance(member, place, line => {
      const said = JSON.parse(line) as { readonly first?: true; readonly sent?: number; readonly failed?: number };
      if (said.first) this.firstAnswerMs = performance.now();
      if (said.sent !== undefined && said.failed !== undefined) resolve({ sent: said.sent, failed: said.failed });
    });
  }

  /** Nobody sends anything any more, and every answer is there. */
  async finish() {
    this.instance.say('stop');
    const late = new AbortController();
    const result = await Promise.race([this.result, pause(END_MS, undefined, { signal: late.signal })]);
    late.abort();
    if (result === undefined) throw new Failure('the shoppers did not finish', this.instance.output);
    return result;
  }
}

/** False: the user stopped first. */
const waitFor = async (
  holds: () => Promise<boolean> | boolean,
  instances: readonly Instance[],
  stop: AbortSignal,
): Promise<boolean> => {
  const endMs = performance.now() + READY_MS;
  while (!(await holds())) {
    if (stop.aborted) return false;
    failIfOneEnded(instances);
    if (performance.now() > endMs) throw new Failure(...instances.map(describe), 'the shop did not open in time');
    await pause(LOOK_EVERY_MS);
  }
  return true;
};

const failIfOneEnded = (instances: readonly Instance[]): void => {
  const ended = instances.find(({ hasExited }) => hasExited);
  if (ended !== undefined) throw new Failure(`${ended.member.service} ended by itself`, ended.output.trim());
};

const describe = ({ member, output }: Instance): string => `${member.service}: ${output.trim()}`;

const samplesOf = async (instances: readonly Instance[]) =>
  (await Promise.all(instances.map(instance => instance.metrics()))).flatMap(parseSamples);

/** Shows the state each second. */
const watch = async (
  instances: readonly Instance[],
  screen: Screen,
  stop: AbortSignal,
  durationMs: number,
): Promise<void> => {
  const startedMs = performance.now();
  let before: readonly Edge[] = [];
  let beforeMs = startedMs;
  while (!stop.aborted && performance.now() - startedMs < durationMs) {
    const leftMs = durationMs - (performance.now() - startedMs);
    await pause(Math.min(SHOW_EVERY_MS, leftMs), undefined, { signal: stop }).catch(() => undefined);
    if (leftMs < SHOW_EVERY_MS) return;
    failIfOneEnded(instances);
    const edges = edgesOf(await samplesOf(instances), false);
    const nowMs = performance.now();
    const perSecond = edges.map(({ from, to, requests }) => {
      const old = before.find(edge => edge.from === from && edge.to === to);
      return (1_000 * (requests - (old?.requests ?? 0))) / (nowMs - beforeMs);
    });
    screen.state(edgeTable(edges, perSecond), progressLine((nowMs - startedMs) / 1_000, edges, perSecond));
    before = edges;
    beforeMs = nowMs;
  }
};
