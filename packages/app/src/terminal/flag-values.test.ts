import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../build-program.js';

/** The option values that the command would run with; throws CommanderError. */
function optionsOf(name: string, ...args: string[]): Record<string, unknown> {
  const command = buildProgram().commands.find((each) => each.name() === name) ?? new Command();
  let options: Record<string, unknown> = {};
  command.configureOutput({ writeErr: () => {} }).action((_argument, given) => {
    options = given as Record<string, unknown>;
  });
  command.parse(['x', ...args], { from: 'user' });
  return options;
}

describe('values of flags', () => {
  it('are read into numbers', () => {
    expect(optionsOf('plan', '--arrival-rps', '1e2', '--weights', '2,1,1e-6', '--accuracy-floor', '0')).toMatchObject({
      arrivalRps: 100,
      weights: { accuracy: 2, cost: 1, batch: 1e-6 },
      accuracyFloor: 0,
    });
    expect(optionsOf('serve', '--port', '0')).toMatchObject({ port: 0, host: '127.0.0.1', maxBodyBytes: 2 ** 24 });
    expect(optionsOf('serve')).toMatchObject({ traceSample: 0.01 });
    expect(optionsOf('serve', '--trace-sample', 'off')).toMatchObject({ traceSample: 'off' });
    expect(optionsOf('load', '--arrival-rps', '0')).toMatchObject({ arrivalRps: 0, timeoutMs: 10_000, seed: 1 });
  });

  it.each([
    ['plan', '--arrival-rps', ['0', '-1', '', ' ', 'NaN', 'Infinity', '1e999', '5rps']],
    ['plan', '--accuracy-floor', ['1.01', '-0.1', '90%']],
    ['serve', '--trace-sample', ['1.01', '-0.1', '1%', 'OFF', '']],
    ['plan', '--weights', ['1', '1,2', '1,2,3,4', ',,', '1,-2,3', 'a,b,c']],
    ['plan', '--slo-ms', ['0', '-5', '100ms']],
    ['plan', '--budget-cores', ['0', '-1', 'all']],
    ['plan', '--objective', ['best']],
    ['plan', '--policy', ['ipa2']],
    ['plan', '--estimator', ['mean']],
    ['evaluate', '--samples', ['0', '1.5', 'few']],
    ['serve', '--port', ['-1', '65536', '80.5', 'http']],
    ['serve', '--max-body-bytes', ['0', '16MB']],
    ['load', '--arrival-rps', ['-1', 'x']],
    ['load', '--duration-s', ['0', '-1']],
    ['load', '--timeout-ms', ['0', '1.5', '1e12']],
    ['load', '--seed', ['-1', '0.5', '9007199254740991']],
    ['load', '--part', ['scan', '=x', 'scan=']],
    ['load', '--part-gap-ms', ['-1', 'x']],
    ['report', '--from', ['yesterday', '2026-02-29', '2026-02-30T00:00:00Z', '2026-04-31T12:00:00+02:00']],
  ])('%s refuses wrong %s', (name, flag, texts) => {
    for (const text of texts) {
      expect(() => optionsOf(name, flag, text)).toThrow(
        expect.objectContaining({ code: 'commander.invalidArgument', message: expect.stringContaining(flag) }),
      );
    }
  });
});
