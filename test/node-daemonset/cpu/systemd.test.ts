import assert from 'node:assert/strict';
import { systemdCall } from '../../../node-daemonset/cpu/systemd.ts';

describe('what systemd is told', () => {
  const path = 'kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice';

  it('names the unit and every property with its type', () => {
    const call = systemdCall({ uid: '1-2', weight: 300, quota: { max: 20_000, period: 100_000 } }, path, 2);
    assert.deepEqual(call.slice(6), [
      'SetUnitProperties',
      'sba(sv)',
      'kubepods-burstable-pod1_2.slice',
      'true',
      '3',
      'CPUWeight',
      't',
      '300',
      'CPUQuotaPerSecUSec',
      't',
      '200000',
      'CPUQuotaPeriodUSec',
      't',
      '100000',
    ]);
  });

  it('has other words on v1 and for no limit', () => {
    const call = systemdCall({ uid: '1-2', weight: 300, quota: { max: undefined, period: 100_000 } }, path, 1);
    assert.ok(call.includes('CPUShares') && call.includes('18446744073709551615'));
  });

  it('refuses what is no slice unit', () => {
    assert.throws(() => systemdCall({ uid: 'x', weight: 1 }, 'kubepods/pod1', 2), /no slice unit/);
  });
});
