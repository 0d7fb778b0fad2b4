import t from 'tap';
import { MESH_CONFIG, type MeshConfig } from '../../api/mesh-config.ts';
import { startBackHalf } from '../support/back-half.ts';
import { startTestSidecar, until } from '../support/test-sidecar.ts';

t.test('what MeshConfig says of paths reaches the sidecars, and the default holds again without it', async t => {
  const dir = t.testdir({ data: {}, web: {} });
  await using plane = await startBackHalf({ dataDir: `${dir}/data` });
  await using web = startTestSidecar({
    stateDir: `${dir}/web`,
    controlPlanes: [plane.url],
    caFile: plane.caFile,
    token: await plane.token('default', 'web'),
    service: 'web',
  });
  const normalization = () => web.discovery.snapshots.value.pathNormalization;
  await until('the first snapshot', () => normalization() === 'BASE');
  const config: MeshConfig = {
    apiVersion: 'outrider.mesh/v1',
    kind: 'MeshConfig',
    metadata: { name: 'default' },
    spec: {
      outboundTrafficPolicy: { mode: 'ALLOW_ANY' },
      pathNormalization: { normalization: 'DECODE_AND_MERGE_SLASHES' },
    },
  };
  await plane.store.create(MESH_CONFIG, config);
  await until('the setting', () => normalization() === 'DECODE_AND_MERGE_SLASHES');
  await plane.store.delete(MESH_CONFIG, '', 'default');
  await until('the default again', () => normalization() === 'BASE');
});
