import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { seededRandom } from '../../common/random.ts';
import { ControlPlaneProcess } from '../support/control-plane-process.ts';
import { type Json, RestClient } from '../support/rest-client.ts';
import { waitFor } from '../support/wait-for.ts';

const WRITES = 1_000;
const KILLS = 5;
const WRITERS = 8;
/** While the control plane is away; without it the test would take the processor from its restart. */
const PAUSE_MS = 30;
const SERVICES = '/api/v1/namespaces/default/services';

t.setTimeout(120_000);

t.test('kill -9 at random moments: answered writes stay, and a watch resumes without a gap or a repeat', async t => {
  const seed = Number(process.env.OUTRIDER_TEST_SEED ?? Date.now() % 1_000_000);
  t.comment(`OUTRIDER_TEST_SEED=${seed}`);
  const random = seededRandom(seed);
  await using plane = new ControlPlaneProcess(t.testdir());
  await plane.start();
  await using client = new RestClient(plane.restUrl, plane.dataDir);

  /** resourceVersion of each answered write, with what it wrote. */
  const answered = new Map<number, { readonly name: string; readonly port: number }>();
  let stopped = false;

  const events: { readonly version: number; readonly name: string; readonly port: number }[] = [];
  let from = (await client.call('GET', SERVICES)).body.metadata?.resourceVersion ?? '';
  const watching = (async () => {
    let resumed = 0;
    while (!stopped) {
      try {
        for await (const { type, object } of client.watch(`${SERVICES}?watch=1&resourceVersion=${from}`)) {
          if (type === 'ERROR') throw new Error(JSON.stringify(object));
          from = object?.metadata?.resourceVersion ?? '';
          events.push({ version: Number(from), name: object?.metadata?.name ?? '', port: portOf(object) });
          if (stopped) return resumed;
        }
      } catch (error) {
        if (String(error).includes('410')) throw error;
      }
      resumed++;
      await pause(PAUSE_MS);
    }
    return resumed;
  })();

  const write = async (number: number): Promise<void> => {
    // Half of the writes create, the others change what an earlier one created.
    const name = `s${number % (WRITES / 2)}`;
    const port = 1_000 + number;
    const body = { metadata: { name }, spec: { ports: [{ port }] } };
    while (true) {
      const create = number < WRITES / 2;
      const answer = await client
        .call(create ? 'POST' : 'PUT', create ? SERVICES : `${SERVICES}/${name}`, { body })
        .catch(() => undefined);
      // It was written before the crash, and only the answer was lost.
      if (answer?.status === 409) return;
      if (answer?.status === 200 || answer?.status === 201) {
        answered.set(Number(answer.body.metadata?.resourceVersion), { name, port });
        return;
      }
      if (answer !== undefined) throw new Error(`${answer.status}: ${answer.body.message}`);
      await pause(PAUSE_MS);
    }
  };
  let done = 0;
  const writer = async (first: number) => {
    for (let number = first; number < WRITES; number += WRITERS) {
      await write(number);
      done++;
    }
  };
  const writing = Promise.all(Array.from({ length: WRITERS }, (_, first) => writer(first)));

  for (let kill = 1; kill <= KILLS; kill++) {
    const at = Math.floor(((kill - random()) * WRITES) / (KILLS + 1));
    await waitFor(`write ${at}`, () => done >= at, 60_000);
    await pause(random() * 4);
    await plane.kill();
    await plane.start();
    const before = [...answered.values()]; // the writers go on while we look
    const { items } = (await client.call('GET', SERVICES)).body as unknown as { items: readonly Json[] };
    const ports = new Map(items.map(item => [item.metadata?.name, portOf(item)]));
    const lost = before.filter(({ name, port }) => (ports.get(name as Json) ?? 0) < port);
    t.same(lost, [], `after kill ${kill} every answered write is there`);
  }
  await writing;
  const last = Math.max(...answered.keys());
  await waitFor('the last event', () => (events.at(-1)?.version ?? 0) >= last, 30_000);
  stopped = true;
  await client.call('POST', SERVICES, { body: { metadata: { name: 'end' }, spec: { ports: [{ port: 1 }] } } });
  const resumed = await watching;

  t.ok(resumed >= KILLS, `the watch was resumed ${resumed} times`);
  t.ok(
    events.every(({ version }, i) => i === 0 || version > events[i - 1]!.version),
    'no event came twice or out of order',
  );
  const seen = new Map(events.map(({ version, ...what }) => [version, what]));
  const missed = [...answered].filter(([version, what]) => JSON.stringify(seen.get(version)) !== JSON.stringify(what));
  t.same(missed, [], `every one of ${answered.size} answered writes was seen`);
  t.ok(events.length >= WRITES, `${events.length} events of ${WRITES} writes`);
});

const portOf = (service: Json | undefined): number => Number(service?.spec?.ports?.[0]?.port);
