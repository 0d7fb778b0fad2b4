import { BlockList, isIP } from 'node:net';

export type IpFamily = 'ipv4' | 'ipv6';

/** A block of addresses, as it was written. RFC 4632, RFC 4291 §2.3. */
export interface Cidr {
  readonly family: IpFamily;
  readonly address: string;
  /** Bits: 0–32 or 0–128. */
  readonly prefix: number;
}

const CIDR = /^([0-9A-Fa-f:.]+)(?:\/([0-9]{1,3}))?$/;

/** `10.0.0.0/8,fd00::/8,10.1.2.3`, without those that lie in another; undefined where that is not what it says. */
export const parseCidrs = (text: string): readonly Cidr[] | undefined => {
  const cidrs: Cidr[] = [];
  for (const part of text.split(',')) {
    const [, address = '', prefix] = CIDR.exec(part.trim()) ?? [];
    const version = isIP(address);
    const bits = version === 6 ? 128 : 32;
    const cidr: Cidr = { family: version === 6 ? 'ipv6' : 'ipv4', address, prefix: Number(prefix ?? bits) };
    if (version === 0 || cidr.prefix > bits) return undefined;
    cidrs.push(cidr);
  }
  return withoutContained(cidrs);
};

export const formatCidr = ({ address, prefix }: Cidr): string => `${address}/${prefix}`;

/** nft refuses sets that overlap. */
const withoutContained = (cidrs: readonly Cidr[]): readonly Cidr[] => {
  const kept: Cidr[] = [];
  for (const cidr of cidrs.toSorted((a, b) => a.prefix - b.prefix))
    if (!kept.some(wider => contains(wider, cidr))) kept.push(cidr);
  return kept;
};

const contains = (wider: Cidr, { family, address }: Cidr): boolean => {
  if (wider.family !== family) return false;
  const block = new BlockList();
  block.addSubnet(wider.address, wider.prefix, wider.family);
  return block.check(address, family);
};
