import { stringify } from 'yaml';
import { KINDS } from '../../api/kinds.ts';
import { accessObjects, controlPlaneObjects, type InstallOptions, namespaceObject } from './control-plane.ts';
import { customResource } from './custom-resource.ts';

/** Those of the Gateway API belong to it, those without a group to Kubernetes. */
const GROUP = 'outrider.mesh';

/** What a cluster needs, by file of a Kustomize base, in the order in which it is applied. */
export const installManifests = (options: InstallOptions): ReadonlyMap<string, string> => {
  const ours = KINDS.filter(({ group }) => group === GROUP);
  const writable = ours.filter(kind => kind.writable).map(({ plural }) => plural);
  return new Map([
    ['namespace.yaml', documents([namespaceObject(options)])],
    ['crds.yaml', documents(ours.map(customResource))],
    ['access.yaml', documents(accessObjects(options, GROUP, writable))],
    ['control-plane.yaml', documents(controlPlaneObjects(options))],
  ]);
};

/** The base that names those files. */
export const kustomization = (files: readonly string[]): string =>
  stringify({ apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources: files });

// YAML 1.1 is what Kubernetes reads: `on` and `0644` are quoted. Nothing is an alias of something else.
const documents = (objects: readonly object[]): string =>
  objects.map(each => stringify(each, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false })).join('---\n');
