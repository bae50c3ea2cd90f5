import { expect, it } from 'vitest';
import type { PipelineFacts } from '../api/answers.js';
import { refusedActions } from './refused-actions.js';

it.each<[string, Pick<PipelineFacts, 'follows' | 'elsewhere'>, RegExp | undefined]>([
  ['accepts actions', {}, undefined],
  ['follows another router', { follows: true }, /^following another router: .* page of the lead/],
  ['is an operator', { elsewhere: { actions: 'Edit the object.' } }, /^a cluster is changed .*: Edit the object\.$/],
])('says why actions are refused where the server %s', (_, facts, expected) => {
  const refused = refusedActions(facts);
  if (expected === undefined) expect(refused).toBeUndefined();
  else expect(`${refused?.because}: ${refused?.instead}`).toMatch(expected);
});
