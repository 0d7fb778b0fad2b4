import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runToEnd } from '../support/processes.ts';
import { RestClient, startControlPlane } from '../support/rest-client.ts';
import { waitFor } from '../support/wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../manifests/examples', import.meta.url));

t.setTimeout(60_000);

t.test('every example is applied as it is, and what it refers to is there', async t => {
  const dataDir = t.testdir();
  await using plane = await startControlPlane(dataDir);
  const env = { OUTRIDER_SERVER: plane.restUrl, OUTRIDER_DATA_DIR: dataDir, NODE_OPTIONS: undefined };
  for (const file of readdirSync(EXAMPLES, { encoding: 'utf8', recursive: true }).filter(name =>
    name.endsWith('.yaml'),
  )) {
    const result = await runToEnd(process.execPath, [PROGRAM, 'apply', '-f', `${EXAMPLES}/${file}`], { env });
    t.match(result, { code: 0, stderr: '', stdout: /(created|configured)\n/ }, file);
  }
  await using rest = new RestClient(plane.restUrl, dataDir);
  const conditions = async () => {
    const { body } = await rest.call('GET', '/apis/gateway.networking.k8s.io/v1/httproutes');
    return body.items?.flatMap(({ status }) =>
      status?.parents?.[0]?.conditions?.map(({ type, status: is }) => `${type} ${is}`),
    );
  };
  await waitFor('the status of both routes', async () => (await conditions())?.filter(Boolean).length === 4);
  t.same(new Set(await conditions()), new Set(['Accepted True', 'ResolvedRefs True']));
});
