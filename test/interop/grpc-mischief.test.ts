/**
 * gRPC servers that misbehave on HTTP/2 look to Python's client (C core) and to Node's as they do without the mesh: streams reset after the head, in the
 * middle and after the data, early GOAWAY, pings, padding, one stream at a time, tiny windows.
 */
import { constants, type ServerOptions } from 'node:http2';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { missing, PYTHON } from '../support/foreign-tools.ts';
import { startMischief } from '../support/http2-mischief.ts';
import { startPair } from '../support/pair.ts';
import { runToEnd } from '../support/processes.ts';

const CALLS = fileURLToPath(new URL('../fixtures/grpc_calls.py', import.meta.url));
/** `node:http2` documents it, and its types do not know it. */
const PADDING_STRATEGY_ALIGNED = 1;
const REQUEST = Buffer.from('ask'.repeat(300));

t.setTimeout(120_000);

/** How each call ended, as `METHOD: CODE, …`; `N*METHOD`: N at once. */
type Client = (port: number, methods: readonly string[]) => Promise<readonly string[]>;

const python: Client = async (port, methods) => {
  const done = await runToEnd(PYTHON, [CALLS, String(port), 'localhost', ...methods]);
  return done.stdout.trimEnd().split('\n');
};

const node: Client = async (port, methods) => {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  const call = (method: string): Promise<string> =>
    new Promise(resolve => {
      let length = 0;
      const done = (_: unknown, answer?: Buffer): void => {
        length = answer?.length ?? 0;
      };
      const deadline = Date.now() + 20_000;
      client
        .makeUnaryRequest(`/mischief/${method}`, same, same, REQUEST, new grpc.Metadata(), { deadline }, done)
        .once('status', ({ code, details }) =>
          setImmediate(() => resolve(`${method}: ${grpc.status[code]}, ${length} bytes, ${details}`)),
        );
    });
  const ended: string[] = [];
  for (const each of methods) {
    const [, count = '1', method = ''] = /^(?:(\d+)\*)?(.*)$/.exec(each) ?? [];
    ended.push(...(await Promise.all(Array.from({ length: Number(count) }, () => call(method)))));
  }
  client.close();
  return ended;
};

const CLIENTS: readonly (readonly [name: string, client: Client, skip: string | false])[] = [
  ['python3-grpcio', python, missing('python3')],
  ['@grpc/grpc-js', node, false],
];

const CODES = ['NO_ERROR', 'INTERNAL_ERROR', 'CANCEL', 'ENHANCE_YOUR_CALM', 'PROTOCOL_ERROR'];
const resets = (when: string): string[] => CODES.map(code => `${when}/${code}`);

/** The word behind the method: the name of the status code. */
const statusOf = (line: string): string => /: ([A-Z_]+)/.exec(line)?.[1] ?? line;

/** Settings that make life hard. */
const SERVERS = {
  plain: {},
  'one stream at a time': { settings: { maxConcurrentStreams: 1 } },
  'as much padding as there can be': { paddingStrategy: constants.PADDING_STRATEGY_MAX },
  'padding to blocks': { paddingStrategy: PADDING_STRATEGY_ALIGNED },
  'windows of 100 bytes and no table for heads': { settings: { initialWindowSize: 100, headerTableSize: 0 } },
} satisfies Readonly<Record<string, ServerOptions>>;
type Name = keyof typeof SERVERS;
const NAMES = Object.keys(SERVERS) as Name[];

const servers = await Promise.all(NAMES.map(name => startMischief(SERVERS[name])));
const serviceOf = (name: Name): string => `mischief-${NAMES.indexOf(name)}`;
const pair = await startPair({
  services: NAMES.map((name, i) => ({
    name: serviceOf(name),
    port: 50051,
    protocol: 'grpc',
    appPort: servers[i]?.port ?? 0,
  })),
});
t.teardown(async () => {
  await pair[Symbol.asyncDispose]();
  await Promise.all(servers.map(server => server[Symbol.asyncDispose]()));
});

/** The same calls straight and through the mesh. */
const both = async (
  t: Test,
  name: Name,
  client: Client,
  methods: readonly string[],
): Promise<{ readonly straight: readonly string[]; readonly mesh: readonly string[] }> => {
  const server = servers[NAMES.indexOf(name)];
  if (server === undefined) throw new Error(name);
  const straight = await client(server.port, methods);
  const before = server.calls;
  const mesh = await client(pair.upstream(serviceOf(name)), methods);
  t.ok(server.calls - before >= methods.length, 'all of them reached the server');
  return { straight, mesh };
};

for (const [name, client, skip] of CLIENTS)
  t.test(name, { skip }, async t => {
    await t.test('answers that are broken off, in the same words', async t => {
      const broken = [...resets('ResetAfterHead'), ...resets('ResetDuringData'), ...resets('ResetAfterData')];
      const whole = ['Pings', 'Html', 'TrailersOnly', 'Answer'];
      const { straight, mesh } = await both(t, 'plain', client, ['Answer', ...broken, ...whole]);
      t.equal(straight.length, 1 + broken.length + whole.length);
      t.equal(statusOf(straight[0] ?? ''), 'OK');
      t.same(mesh, straight);
    });

    await t.test('GOAWAY: calls that were not processed are made again, those that were are answered', async t => {
      const methods = ['Answer', 'GoawayBefore', 'GoawayAfter', 'GoawayAfter', 'Answer', 'GoawayBefore'];
      const { straight, mesh } = await both(t, 'plain', client, methods);
      t.same(mesh, straight);
      t.same(mesh.map(statusOf), Array(methods.length).fill('OK'));
    });

    for (const trial of NAMES.slice(1))
      await t.test(trial, async t => {
        const { straight, mesh } = await both(t, trial, client, ['Answer', '10*Answer', '10*Pings']);
        t.same(mesh.map(statusOf), Array(21).fill('OK'));
        // gRPC's C core cannot read padding: its calls fail without the mesh.
        if (client === node || !trial.includes('padding')) t.same(mesh, straight);
      });

    await t.test('before an answer has begun the mesh speaks for itself: UNAVAILABLE, and why', async t => {
      const { straight, mesh } = await both(t, 'plain', client, [...resets('ResetBeforeHead'), 'Drop']);
      t.notOk(straight.some(line => statusOf(line) === 'OK'));
      const [dropped, ...before] = mesh.toReversed();
      t.same(new Set(before.map(statusOf)), new Set(['UNAVAILABLE']));
      t.match(before[0], /The destination reset the request\./);
      t.match(dropped, /INTERNAL/, 'a connection lost in an answer is a reset stream: the caller’s own goes on');
    });
  });
