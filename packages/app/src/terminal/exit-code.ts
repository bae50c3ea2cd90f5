/** Exit codes of every command. */
export const ExitCode = { done: 0, answerIsNo: 1, wrongUsage: 2, outsideFailure: 3 } as const;
