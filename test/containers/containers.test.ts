/**
 * The images, built from the Dockerfile and run. One file, so that they are built once: with `OUTRIDER_CONTAINERS_FOLDER` set to a folder they stay
 * there for the next time. Needs root, buildah, podman, runc and debootstrap; skips with a sentence elsewhere.
 */
import t from 'tap';
import { missingForContainers, PodmanEngine } from '../support/podman-engine.ts';
import { buildImages } from '../support/podman-images.ts';
import { testContents, testRestricted } from './images.ts';
import { testMesh } from './mesh.ts';
import { testPods } from './pods.ts';
import { testShop } from './shop.ts';

t.setTimeout(1_200_000);

t.test('containers', { skip: missingForContainers() }, async t => {
  await using engine = await PodmanEngine.start();
  await buildImages(engine);
  await t.test('the images hold what they need and nothing else', t => testContents(t, engine));
  await t.test('they run read-only, without capabilities', t => testRestricted(t, engine));
  await t.test('a request goes over mTLS from container to container', t => testMesh(t, engine));
  await engine.clear();
  await t.test('pods of injected manifests', t => testPods(t, engine));
  await engine.clear();
  await t.test('the demo in pods', t => testShop(t, engine));
});
