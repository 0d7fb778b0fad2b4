import type { InitSettings } from './init-args.ts';
import { INIT } from './names.ts';
import type { Plain } from './plain.ts';

/**
 * What the init container may do: change the pod's own network rules, as root, and nothing else. It ends before the app starts. NET_RAW is for
 * iptables, where the node has no nft. Istio: istio-init.
 */
export const NETWORK_ADMIN: Plain = {
  allowPrivilegeEscalation: false,
  capabilities: { add: ['NET_ADMIN', 'NET_RAW'], drop: ['ALL'] },
  readOnlyRootFilesystem: true,
  runAsGroup: 0,
  runAsNonRoot: false,
  runAsUser: 0,
  seccompProfile: { type: 'RuntimeDefault' },
};

/** So much is enough for one run of `outrider init`. */
const RESOURCES: Plain = { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '256Mi' } };

export const initContainer = ({ image, args }: InitSettings, imagePullPolicy: string): Plain => ({
  name: INIT,
  image,
  imagePullPolicy,
  ...(args.length > 0 ? { args } : {}),
  resources: RESOURCES,
  securityContext: NETWORK_ADMIN,
});
