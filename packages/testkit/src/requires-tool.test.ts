import { describe, expect, it } from 'vitest';
import { suiteFate, type Tool } from './requires-tool.js';

const browser = (present: boolean): Tool => ({ name: 'browser', missing: 'install it', isPresent: () => present });

describe('suiteFate', () => {
  it.each([
    { present: true, required: undefined, fate: 'run' },
    { present: true, required: 'browser', fate: 'run' },
    { present: false, required: undefined, fate: 'skip' },
    { present: false, required: '', fate: 'skip' },
    { present: false, required: 'prometheus', fate: 'skip' },
    { present: false, required: 'prometheus, browser', fate: 'fail' },
  ])('$fate when present is $present and $required is required', ({ present, required, fate }) => {
    expect(suiteFate(browser(present), required)).toBe(fate);
  });
});
