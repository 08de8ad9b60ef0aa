import assert from 'node:assert/strict';
import { parseDefaultRoutes, planUplinks } from '../../../node-daemonset/egress/uplinks.ts';

const ROUTE = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0101A8C0	0003	0	0	0	00000000	0	0	0
eth1	0001A8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
eth2	00000000	00000000	0200	0	0	0	00000000	0	0	0
`;
const ZERO = '0'.repeat(32);
const ROUTE6 = `${ZERO} 00 ${ZERO} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth6
${ZERO} 00 ${ZERO} 00 ${ZERO} ffffffff 00000001 00000000 00200200       lo
fd000000000000000000000000000000 40 ${ZERO} 00 ${ZERO} 00000100 00000001 00000000 00000001     eth7
`;

describe('uplinks', () => {
  const speeds: Record<string, number> = { eth0: 1e9 };
  const plan = (
    lines: { interface: string; rate: number | undefined }[],
    routes: string[],
  ): ReturnType<typeof planUplinks> => planUplinks(lines, routes, new Set(['eth0', 'eth1']), (name) => speeds[name]);

  it('reads the default routes of both families, and no others', () => {
    assert.deepEqual(parseDefaultRoutes(ROUTE, ROUTE6), ['eth0', 'eth6']);
    assert.deepEqual(parseDefaultRoutes('', ''), []);
  });

  it("takes the owner's lines and rates first", () => {
    const { uplinks, problems } = plan([{ interface: 'eth1', rate: 5e6 }], ['eth0']);
    assert.deepEqual([uplinks, problems], [[{ interface: 'eth1', rate: 5e6 }], []]);
  });

  it("takes the link's rate where the owner names none, and says where nobody knows it", () => {
    assert.deepEqual(plan([{ interface: 'eth0', rate: undefined }], []).uplinks, [{ interface: 'eth0', rate: 1e9 }]);
    const { uplinks, problems } = plan([], ['eth1', 'eth1']);
    assert.deepEqual(uplinks, [{ interface: 'eth1', rate: undefined }]);
    assert.deepEqual(
      problems.map(({ reason }) => reason),
      ['LineUnknown'],
    );
  });

  it('says which line is missing', () => {
    for (const name of ['eth9', 'eth0; reboot', '../eth0']) {
      const { uplinks, problems } = plan([{ interface: name, rate: 1e6 }], []);
      assert.deepEqual([uplinks, problems.map(({ reason }) => reason)], [[], ['UplinkMissing']]);
    }
    assert.deepEqual(
      plan([], []).problems.map(({ reason }) => reason),
      ['UplinkMissing'],
    );
  });
});
