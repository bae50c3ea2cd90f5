/** `equipoise simulate` is stopped by a signal. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { documentOf, RunningCommand, syntheticPipeline, TestFolder } from '../equipoise.test-support.js';

const folder = new TestFolder();
const policy = ['--policy', 'static-cheapest', '--arrival-rps', '50'];

beforeAll(() => folder.write('pipeline.yaml', syntheticPipeline()));
afterAll(() => folder.remove());

it.each([
  ['a long load', ['--duration-s', '1000000']],
  ['many seeds', ['--duration-s', '60', '--seeds', '1000']],
])('says at Ctrl-C that it keeps nothing: %s', async (_, flags) => {
  const command = new RunningCommand(folder.path, ['simulate', 'pipeline.yaml', ...policy, ...flags, '--json']);
  await command.said(/^simulate \d/m);
  command.signal('SIGINT');
  const ended = await command.ended;
  expect(ended).toMatchObject({ exitCode: 3, signal: null });
  expect(documentOf(ended)).toMatchObject({ error: { code: 'INTERRUPTED', message: 'Stopped. Nothing is saved.' } });
});
