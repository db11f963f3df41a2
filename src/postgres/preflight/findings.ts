/** What a look at the database finds: each one line that says what is, and what to do about it. */
export type Findings = {
  /** Nothing is written as long as there is one. */
  readonly problems: readonly string[];
  /** Something works less well than it could. */
  readonly warnings: readonly string[];
};
