/** What there is: `/api`, `/apis`, the kinds of each group, `/version`. Kubernetes API discovery. */

import type { FastifyInstance } from 'fastify';
import type { ResourceKind } from '../../api/resource-kind.ts';
import { groupPath } from './resource-routes.ts';

const READ_VERBS = ['get', 'list', 'watch'];
const WRITE_VERBS = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];

/** The Kubernetes minor version whose API conventions these are. */
const KUBERNETES_VERSION = { major: '1', minor: '34' };

export const addDiscoveryRoutes = (app: FastifyInstance, kinds: readonly ResourceKind[], release: string): void => {
  const groups = [...new Set(kinds.filter(kind => kind.group !== '').map(kind => kind.group))].map(name => {
    const version = { groupVersion: `${name}/v1`, version: 'v1' };
    return { name, versions: [version], preferredVersion: version };
  });
  app.get('/version', () => ({
    ...KUBERNETES_VERSION,
    gitVersion: `v${KUBERNETES_VERSION.major}.${KUBERNETES_VERSION.minor}.0+outrider-${release}`,
    platform: `${process.platform}/${process.arch}`,
  }));
  app.get('/api', () => ({ kind: 'APIVersions', apiVersion: 'v1', versions: ['v1'] }));
  app.get('/apis', () => ({ kind: 'APIGroupList', apiVersion: 'v1', groups }));
  for (const group of groups) app.get(`/apis/${group.name}`, () => ({ kind: 'APIGroup', apiVersion: 'v1', ...group }));
  for (const path of new Set(kinds.map(groupPath))) {
    const members = kinds.filter(kind => groupPath(kind) === path);
    app.get(path, () => ({
      kind: 'APIResourceList',
      apiVersion: 'v1',
      groupVersion: path.replace(/^\/apis?\//, ''),
      resources: members.flatMap(describeKind),
    }));
  }
};

const describeKind = (kind: ResourceKind): object[] => {
  const { plural, singular, namespaced, shortNames, writable } = kind;
  const main = {
    name: plural,
    singularName: singular,
    namespaced,
    kind: kind.kind,
    verbs: writable ? WRITE_VERBS : READ_VERBS,
    ...(shortNames.length > 0 ? { shortNames } : {}),
  };
  const sub = (name: string, kindName: string, verbs: readonly string[], more: object = {}) => ({
    name: `${plural}/${name}`,
    singularName: '',
    namespaced,
    kind: kindName,
    verbs,
    ...more,
  });
  return [
    main,
    ...('status' in kind.schema ? [sub('status', kind.kind, writable ? ['get', 'patch', 'update'] : ['get'])] : []),
    ...(plural === 'serviceaccounts'
      ? [sub('token', 'TokenRequest', ['create'], { group: 'authentication.k8s.io', version: 'v1' })]
      : []),
  ];
};
