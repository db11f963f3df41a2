/** Makes a thing once for each object that it is made of, and forgets it with that object. */
export function oncePer<Source extends object, Made>(
  make: (source: Source) => Made,
): (source: Source) => Made {
  const made = new WeakMap<Source, { readonly one: Made }>();
  return (source) => {
    const kept = made.get(source) ?? { one: make(source) };
    made.set(source, kept);
    return kept.one;
  };
}
