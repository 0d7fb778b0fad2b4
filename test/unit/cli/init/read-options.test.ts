import t from 'tap';
import { type RuleFlags, readOptions } from '../../../../cli/init/read-options.ts';

const problems = (flags: RuleFlags): readonly string[] => {
  const read = readOptions(flags);
  return 'problems' in read ? read.problems.map(({ flag, reason }) => `--${flag} ${reason}`) : [];
};

t.test('without flags everything is taken but what is the own traffic of the sidecar', async t => {
  t.match(readOptions({}), {
    options: {
      proxyUids: [{ from: 1_337, to: 1_337 }],
      proxyGids: [{ from: 1_337, to: 1_337 }],
      inboundPort: 15_006,
      outboundPort: 15_001,
      inboundPorts: '*',
      outboundPorts: '*',
      includeCidrs: '*',
      includeInterfaces: '*',
      includeUids: '*',
      includeGids: '*',
      excludeOutboundPorts: [],
      excludeInterfaces: [],
    },
  });
});

t.test('lists, * and none', async t => {
  t.match(
    readOptions({
      'inbound-ports': '8080',
      'outbound-ports': 'none',
      'include-cidrs': '10.0.0.0/8',
      'exclude-interfaces': 'eth1, docker0,eth1',
      'exclude-uids': '0,4294967294',
    }),
    {
      options: {
        inboundPorts: [{ from: 8_080, to: 8_080 }],
        outboundPorts: [],
        includeCidrs: [{ family: 'ipv4', address: '10.0.0.0', prefix: 8 }],
        excludeInterfaces: ['eth1', 'docker0'],
        excludeUids: [
          { from: 0, to: 0 },
          { from: 4_294_967_294, to: 4_294_967_294 },
        ],
      },
    },
  );
});

t.test('each flag that is wrong is named, with what would be right', async t => {
  t.same(
    problems({
      'proxy-uid': 'envoy',
      'inbound-port': '0',
      'outbound-port': '15001-15002',
      'inbound-ports': '80,http',
      'exclude-outbound-ports': '*',
      'include-cidrs': '10.0.0.0/99',
      'exclude-cidrs': 'example.com',
      'exclude-interfaces': 'eth0; reboot',
      'include-interfaces': 'averyveryverylongname',
      'exclude-gids': '4294967295',
    }),
    [
      '--proxy-uid is "envoy", but must be numbers such as 1000,2000-2999',
      '--inbound-port is "0", but must be a port from 1 to 65535',
      '--outbound-port is "15001-15002", but must be a port from 1 to 65535',
      '--inbound-ports is "80,http", but must be ports from 1 to 65535 such as 80,8000-8100, * or none',
      '--exclude-outbound-ports is "*", but must be ports from 1 to 65535 such as 80,8000-8100',
      '--include-cidrs is "10.0.0.0/99", but must be addresses or networks such as 10.0.0.0/8,fd00::/8, * or none',
      '--exclude-cidrs is "example.com", but must be addresses or networks such as 10.0.0.0/8,fd00::/8',
      '--include-interfaces is "averyveryverylongname", but must be names of network interfaces such as eth0,eth1, * or none',
      '--exclude-interfaces is "eth0; reboot", but must be names of network interfaces such as eth0,eth1',
      '--exclude-gids is "4294967295", but must be numbers such as 1000,2000-2999',
    ],
  );
});

t.test('what can never be taken cannot be asked for by name, but may lie in a range', async t => {
  t.same(problems({ 'inbound-ports': '22,8080,15020' }), [
    '--inbound-ports names 22, which is never taken',
    '--inbound-ports names 15020, which is never taken',
  ]);
  t.same(problems({ 'inbound-ports': '9000', 'inbound-port': '9000' }), [
    '--inbound-ports names 9000, which is never taken',
  ]);
  t.same(problems({ 'outbound-ports': '22' }), ['--outbound-ports names 22, which is never taken']);
  t.same(problems({ 'inbound-ports': '1-65535', 'outbound-ports': '1-1024,15020' }), []);
});

t.test('the sidecar needs a user or a group, and two ports', async t => {
  t.same(problems({ 'proxy-uid': 'none' }), [], 'the group is enough');
  t.same(problems({ 'proxy-uid': 'none', 'proxy-gid': 'none' }), [
    '--proxy-uid and --proxy-gid are none: the sidecar would be redirected to itself',
  ]);
  t.same(problems({ 'inbound-port': 'none' }), ['--inbound-port is "none", but must be a port from 1 to 65535']);
  t.same(problems({ 'inbound-port': '15001' }), [
    '--inbound-port is 15001, as is --outbound-port: each needs a port of its own',
  ]);
});
