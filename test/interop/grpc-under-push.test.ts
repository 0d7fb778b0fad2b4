/**
 * gRPC's own 14 interoperability cases, Python (C core) on both ends, over and over while the control plane pushes a new route and policy for the service
 * that is called, once a second.
 */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { grpcInteropDirectory, missing, PYTHON } from '../support/foreign-tools.ts';
import { runToEnd } from '../support/processes.ts';
import { RestClient } from '../support/rest-client.ts';
import { connects } from '../support/tcp.ts';
import { UpstreamMesh } from '../support/upstream-mesh.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../fixtures/grpc_interop.py', import.meta.url));
const directory = grpcInteropDirectory() ?? '';
const skip = missing('python3') || (directory === '' && "needs gRPC's interop programs; .ci/run fetches them");
const PUSHES = 6;
const PUSH_EVERY_MS = 1_000;

t.setTimeout(120_000);

const ROUTES = '/apis/gateway.networking.k8s.io/v1/namespaces/default/grpcroutes';
const POLICIES = '/apis/outrider.mesh/v1/namespaces/default/trafficpolicies';
const SERVICES = '/api/v1/namespaces/default/services';

const service = (targetPort: number) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'interop' },
  spec: { ports: [{ port: 50051, targetPort, appProtocol: 'grpc' }] },
});
/** The name of the rule is a label of what is counted: it says which push a call was routed by. */
const route = (push: number) => ({
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GRPCRoute',
  metadata: { name: 'interop' },
  spec: {
    parentRefs: [{ group: '', kind: 'Service', name: 'interop' }],
    rules: [{ name: `push-${push}`, backendRefs: [{ name: 'interop', port: 50051 }] }],
  },
});
const policy = (push: number) => ({
  apiVersion: 'outrider.mesh/v1',
  kind: 'TrafficPolicy',
  metadata: { name: 'interop' },
  spec: {
    targetRefs: [{ group: '', kind: 'Service', name: 'interop' }],
    loadBalancer: { policy: push % 2 === 0 ? 'PeakEwma' : 'RoundRobin' },
    timeouts: { idle: `${60 + push}s` },
  },
});

t.test('the 14 interop cases of gRPC while configuration changes every second', { skip }, async t => {
  await using mesh = await UpstreamMesh.start([
    {
      name: 'interop',
      protocol: 'grpc',
      prepare: async (_, port) => [PYTHON, PROGRAM, directory, 'server', String(port)],
    },
  ]);
  await using rest = new RestClient(mesh.plane.restUrl, mesh.plane.dataDir);
  const create = async (path: string, body: object): Promise<void> => {
    const answer = await rest.call('POST', path, { body });
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  };
  const replace = async (path: string, body: { readonly metadata: { readonly name: string } }): Promise<void> => {
    const { metadata } = (await rest.call('GET', `${path}/${body.metadata.name}`)).body;
    const answer = await rest.call('PUT', `${path}/${body.metadata.name}`, { body: { ...body, metadata } });
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  };
  await create(SERVICES, service(mesh.direct('interop')));
  await create(ROUTES, route(0));
  await create(POLICIES, policy(0));
  await waitFor('the server', () => connects(mesh.direct('interop')), 30_000);

  const cases = async (name: string, port: number): Promise<void> => {
    const client = [PROGRAM, directory, 'client', String(port), 'localhost'];
    const done = await runToEnd(PYTHON, client, { timeoutMs: 60_000 });
    const lines = done.stdout.split('\n').filter(line => /^(not )?ok /.test(line));
    t.equal(lines.length, 14, `${name}: all cases ran`);
    t.same(
      lines.filter(line => !line.startsWith('ok ')),
      [],
      `${name}: and passed`,
    );
  };
  /** The pushes by whose route calls were made. */
  const used = async (): Promise<Set<string>> => {
    const samples = await mesh.unit('caller').samples();
    const names = samples.map(({ labels }) => /\/(push-\d+)$/.exec(labels.route ?? '')?.[1]);
    return new Set(names.filter(name => name !== undefined));
  };

  await cases('control: straight to the server', mesh.direct('interop'));
  let pushes = 0;
  let failure: unknown;
  let pushing = Promise.resolve();
  const timer = setInterval(() => {
    pushes++;
    const number = pushes;
    pushing = pushing
      .then(() => Promise.all([replace(ROUTES, route(number)), replace(POLICIES, policy(number))]))
      .then(
        () => undefined,
        error => {
          failure ??= error;
        },
      );
  }, PUSH_EVERY_MS);
  for (let round = 1; pushes < PUSHES; round++) await cases(`round ${round}`, mesh.mesh('interop'));
  clearInterval(timer);
  await pushing;
  t.equal(failure, undefined, 'every push was taken');
  const routed = await used();
  t.ok(routed.size > PUSHES / 2, `calls were routed by ${[...routed].join(', ')}`);
});
