/** What is looked at: a prompt that names more files than count does so early. */
const MAX_CHARACTERS = 20_000;
const FILE_NAME = /(?<![\w/.-])(?:[\w.-]+\/)*[\w-]+(?:\.[\w-]+)*\.(?:[cm]?[jt]sx?|py|go|rs|java|kt|cs|cpp|cc|hpp?|rb|php|swift|scala|sql|sh|ya?ml|toml|json|xml|html?|css|md|txt|csv|log|ini|env|proto|tf)\b/g;

/** In every file name. Most prompts have none, and this finds it out in a tenth of the time. */
const START_OF_EXTENSION = /\.[a-z]/;

/** How many files a prompt names, each once. */
export function countFiles(prompt: string): number {
  const start = prompt.slice(0, MAX_CHARACTERS);
  return START_OF_EXTENSION.test(start) ? new Set(start.match(FILE_NAME)).size : 0;
}
