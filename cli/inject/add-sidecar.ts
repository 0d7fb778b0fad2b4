import type { Document } from 'yaml';
import { STATUS } from './annotations.ts';
import { missingVariables } from './app-container.ts';
import { rewriteProbes } from './app-probes.ts';
import { addToList, setMissing } from './edit.ts';
import { initContainer } from './init-container.ts';
import { listOf, textOf } from './plain.ts';
import type { PodTemplate } from './pod-templates.ts';
import { SIDECAR_PORTS } from './ports.ts';
import type { SidecarSettings } from './settings.ts';
import { sidecarContainer, sidecarVolumes } from './sidecar-container.ts';

/** Adds the sidecar to a pod of a document, and what hands it the app's connections. @throws EditError */
export const addSidecar = (
  document: Document,
  { path, metadata, spec }: PodTemplate,
  settings: SidecarSettings,
  version: string,
): void => {
  const inSpec = [...path, 'spec'];
  const { native, init, imagePullPolicy } = settings;
  const endsWithApp = !native && spec.restartPolicy === 'Never';
  // Native sidecars run before the init containers that follow them, so those may call through it.
  for (const list of native ? ['initContainers', 'containers'] : ['containers'])
    for (const [i, container] of listOf(spec[list]).entries())
      addToList(document, [...inSpec, list, i], 'env', missingVariables(container, settings));
  rewriteProbes(document, settings.probes);
  const sidecar = sidecarContainer(settings, endsWithApp);
  const redirecting = init === undefined ? [] : [initContainer(init, imagePullPolicy)];
  if (native) addToList(document, inSpec, 'initContainers', [...redirecting, sidecar], 'first');
  else {
    // Behind the app's own, which run while there is no sidecar to take their connections.
    addToList(document, inSpec, 'initContainers', redirecting);
    addToList(document, inSpec, 'containers', [sidecar], 'first');
  }
  addToList(document, inSpec, 'volumes', sidecarVolumes(settings));
  // How the sidecar of a pod that ends by itself sees that the app has ended.
  if (endsWithApp) setMissing(document, inSpec, { shareProcessNamespace: true });
  setMissing(document, [...path, 'metadata', 'annotations'], {
    // The app's own, if it has any: two ports to scrape cannot be said in these words.
    ...(Object.keys(metadata.annotations).some(name => name.startsWith('prometheus.io/')) ? {} : PROMETHEUS),
    ...(native ? {} : { 'kubectl.kubernetes.io/default-container': textOf(listOf(spec.containers)[0]?.name) ?? '' }),
    [STATUS]: version,
  });
};

const PROMETHEUS = {
  'prometheus.io/scrape': 'true',
  'prometheus.io/port': String(SIDECAR_PORTS.metrics),
  'prometheus.io/path': '/metrics',
};
