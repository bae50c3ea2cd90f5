import { describe, expect, it } from 'vitest';
import { StageFailure, stageFailureText } from './stage-failure.js';

const textOf = (message: string) => stageFailureText(new StageFailure('detect', new Error(message)));

describe('stageFailureText', () => {
  it('is one line that steers no terminal, whatever the stage said', () => {
    expect(textOf('bad\nStage classify: fine\r\t\u001b[2J\u009b\u2028\u202e')).toBe(
      'Stage detect: bad\\nStage classify: fine\\r\\t\\u001b[2J\\u009b\\u2028\\u202e',
    );
  });

  it('leaves other text as it is, and is bounded', () => {
    expect(textOf('größer als 3 µs: "x" \\ y 🙂')).toBe('Stage detect: größer als 3 µs: "x" \\ y 🙂');
    expect(textOf('\n'.repeat(5000))).toHaveLength(2000);
  });
});
