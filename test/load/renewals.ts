/**
 * Certificates that are renewed in real time under load, begun 5 min before as always: `OUTRIDER_RENEWALS_60S` (5) renewals of those that hold 60 s, and
 * at the same time, in a mesh of its own, `OUTRIDER_RENEWALS_6S` (120) of those that hold 6 s. No request fails, nothing had to be repeated because of a
 * reset, no stream is reset that is shorter than what a link has left when it is replaced, and the kernel knows no link that is older than a
 * certificate. Streams are far shorter than that, but on a machine with much else to do some take longer; those may be reset, with `certificate_expired`
 * and nothing else, and are counted. Six minutes; 0 leaves a mesh out.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { ConnectionAges } from '../support/connection-ages.ts';
import { serverStream } from '../support/grpc-calls.ts';
import { echoClient, message, startEchoServer } from '../support/grpc-echo.ts';
import { total } from '../support/prometheus-text.ts';
import { RunningMesh, type Unit } from '../support/running-mesh.ts';
import { failures, SteadyTraffic } from '../support/steady-traffic.ts';
import { waitFor } from '../support/wait-for.ts';

const MESHES = [
  { lifetimeSeconds: 60, renewals: Number(process.env.OUTRIDER_RENEWALS_60S ?? 5), streamMessages: 40, fitsMs: 5_000 },
  { lifetimeSeconds: 6, renewals: Number(process.env.OUTRIDER_RENEWALS_6S ?? 120), streamMessages: 10, fitsMs: 1_500 },
] as const;
/** Between the messages of a stream: it lasts 2 s or 0.5 s. `fitsMs` is the least that a link has left when it is replaced. */
const MESSAGE_MS = 50;
/** Of timers on a busy machine. */
const SLACK_MS = 500;

t.setTimeout(120_000 + Math.max(...MESHES.map(({ lifetimeSeconds, renewals }) => renewals * lifetimeSeconds * 700)));
t.jobs = MESHES.length;

type Load = (typeof MESHES)[number];

const delays = monitorEventLoopDelay();
delays.enable();
/** For how long this process, which is caller and gRPC server at once, did nothing else. */
const held = (): number => Math.round(delays.max / 1e6);

/** How often each unit got another certificate, until it is stopped. */
class Renewals implements AsyncDisposable {
  readonly counts: number[];
  private readonly units: readonly Unit[];
  private readonly ends: (number | undefined)[];
  private readonly over: Promise<void>;
  private stopping = false;

  constructor(units: readonly Unit[]) {
    this.units = units;
    this.counts = units.map(() => 0);
    this.ends = units.map(() => undefined);
    this.over = this.run();
  }

  /** The unit that has seen the fewest. */
  get fewest(): number {
    return Math.min(...this.counts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stopping = true;
    await this.over;
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      for (const [i, unit] of this.units.entries()) {
        const end = total(await unit.samples(), 'outrider_certificate_expiry_timestamp_seconds');
        if (this.ends[i] !== undefined && end !== this.ends[i]) this.counts[i] = (this.counts[i] ?? 0) + 1;
        this.ends[i] = end;
      }
      await pause(500);
    }
  }
}

/** Streams one after the other, until `signal`: what was wrong with any of them, and how many of those that took longer than `fitsMs` were reset. */
const streams = async (
  port: number,
  authority: string,
  { streamMessages: messages, fitsMs }: Load,
  signal: AbortSignal,
) => {
  const client = echoClient(port, authority);
  const errors: string[] = [];
  let [count, fitting, overlong, longestMs] = [0, 0, 0, 0];
  for (; !signal.aborted; count++) {
    const startMs = performance.now();
    const request = message({ payload: Buffer.alloc(200), count: messages, delayMs: MESSAGE_MS });
    const { messages: answers, status } = await serverStream(client, request);
    const ms = Math.round(performance.now() - startMs);
    longestMs = Math.max(longestMs, ms);
    if (ms < fitsMs) fitting++;
    if (status.code === 0 && answers.length === messages) continue;
    if (ms < fitsMs) errors.push(`${answers.length} messages in ${ms} ms, ${status.code} ${status.details}`);
    else overlong++;
  }
  client.close();
  return { count, fitting, overlong, longestMs, errors };
};

const inboundPort = async (unit: Unit): Promise<number> => {
  const rows = JSON.parse(await unit.admin('/listeners?format=json')) as { name: string; address: string }[];
  return Number(
    rows
      .find(({ name }) => name === 'inbound')
      ?.address.split(':')
      .at(-1),
  );
};

for (const load of MESHES) {
  const { lifetimeSeconds, renewals, fitsMs } = load;
  const name = `${renewals} renewals of certificates that hold ${lifetimeSeconds} s: no request fails, no stream that fits is reset`;
  t.test(name, { skip: renewals === 0 && 'left out' }, async t => {
    await using mesh = await RunningMesh.start(['--certificate-lifetime', `${lifetimeSeconds}s`]);
    await using echo = await startEchoServer();
    const web = await mesh.run({ service: 'web' });
    const grpc = mesh.runCaller('echo', ['--port', `grpc=${echo.port}`]);
    const caller = mesh.runCaller('client');
    const units = [web, grpc, caller];
    await Promise.all(units.map(unit => unit.ready()));
    const proxy = await caller.outbound();
    const ports = await Promise.all([web, grpc].map(inboundPort));

    using ages = new ConnectionAges(ports);
    await using seen = new Renewals(units);
    const stop = new AbortController();
    const streaming = streams(Number(new URL(proxy).port), `echo:${echo.port}`, load, stop.signal);
    const traffic = new SteadyTraffic({ proxy, host: 'web', getsPerSecond: 60, postsPerSecond: 20 });
    const mostMs = renewals * lifetimeSeconds * 600 + 30_000;
    await waitFor(`${renewals} renewals`, () => seen.fewest >= renewals, mostMs).catch((error: Error) =>
      t.fail(error.message),
    );
    stop.abort();
    const [{ count, fitting, overlong, longestMs, errors }, outcomes] = await Promise.all([streaming, traffic.stop()]);
    const { accepted, dialled } = ages.summary;
    t.comment(
      `${outcomes.length} requests, ${count} streams of at most ${longestMs} ms, renewals ${seen.counts.join(', ')}`,
    );
    const slowest = Math.round(Math.max(...outcomes.map(({ ms }) => ms)));
    t.comment(`the slowest request took ${slowest} ms, the test's own event loop was held for at most ${held()} ms`);
    t.comment(`accepted ${JSON.stringify(accepted)}, dialled ${JSON.stringify(dialled)}`);
    t.ok(seen.fewest >= renewals, `each of the three had at least ${seen.fewest} renewals`);
    t.same(failures(outcomes).slice(0, 10), [], 'every request was answered by the app');
    t.same(errors.slice(0, 10), [], `every stream of less than ${fitsMs} ms came to its end`);
    t.ok(
      fitting > count / 2 && count > renewals,
      `${fitting} of ${count} streams; longer ones that were reset: ${overlong}`,
    );
    const expired = caller.process
      .output()
      .match(/"flags":"UC","error":"UPSTREAM_CLOSED","detail":"certificate_expired"/g);
    t.equal(expired?.length ?? 0, overlong, 'what was reset had a link whose certificates had ended');
    const requests = total(await caller.samples(), 'outrider_requests_total', { reporter: 'source' });
    t.equal(requests, outcomes.length + count, 'the metrics have them all');
    for (const unit of units) {
      const samples = await unit.samples();
      for (const flag of ['UC', 'UR', 'UF', 'DC']) {
        const most = (unit === caller && flag === 'UC') || (unit === grpc && flag === 'DC') ? overlong : 0;
        t.equal(total(samples, 'outrider_requests_total', { response_flags: flag }), most, `${most} ${flag}`);
      }
      t.equal(total(samples, 'outrider_retries_total', { reason: 'reset' }), 0, 'nothing was repeated after a reset');
      t.equal(unit.process.exit, undefined, 'it still runs');
    }
    const limitMs = lifetimeSeconds * 1_000 + SLACK_MS;
    for (const [side, { connections, oldestMs }] of Object.entries({ accepted, dialled })) {
      t.ok(connections >= renewals, `${connections} links ${side}`);
      t.ok(oldestMs <= limitMs, `the oldest link ${side} was ${oldestMs} ms old`);
    }
  });
}
