import { version } from '../version.ts';

/** The image of this release: sidecar, control plane and command in one. No registry has it yet: `--image` says where yours does. */
export const defaultImage = `outrider:${version}`;

/** The same with iptables and nft, for `outrider init`. */
export const defaultInitImage = `outrider-init:${version}`;
