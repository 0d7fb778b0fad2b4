import { Argument, type Command } from 'commander';

/** Both ask `outrider complete`, so that what the shell offers is what the program declares. No candidate: the shell's own files. */
const SCRIPTS = {
  bash: `# Completion of outrider for bash. In ~/.bashrc: source <(outrider completion bash)
_outrider() {
  local name
  COMPREPLY=()
  while IFS=$'\\t' read -r name _; do
    COMPREPLY+=("$name")
  done < <("\${COMP_WORDS[0]}" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _outrider outrider
`,
  zsh: `# Completion of outrider for zsh. In ~/.zshrc, after compinit: source <(outrider completion zsh)
_outrider() {
  local name about
  local -a found
  while IFS=$'\\t' read -r name about; do
    found+=("\${name//:/\\\\:}:$about")
  done < <("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then
    _describe outrider found
  else
    _files
  fi
}
compdef _outrider outrider
`,
} as const;

/** `outrider completion`: what a shell needs to complete the commands. */
export const registerCompletion = (program: Command): void => {
  program
    .command('completion')
    .summary('completion for bash or zsh')
    .description(
      'Prints what bash or zsh needs to complete the commands, their options, kinds of resources, and names that the control plane knows.',
    )
    .addArgument(new Argument('<shell>').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', '\nExample:\n  source <(outrider completion bash)\n')
    .action((shell: keyof typeof SCRIPTS) => {
      process.stdout.write(SCRIPTS[shell]);
    });
};
