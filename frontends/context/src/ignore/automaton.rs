//! An automaton that tells whether an expression matches, following all its states at once.

use super::syntax::{self, Node, Place, Set};

/// Why there is no automaton for an expression.
#[derive(Debug, PartialEq, Eq)]
pub enum CompileError {
    Malformed,
    TooLarge,
}

/// An expression, ready to be matched.
#[derive(Clone, Debug)]
pub struct Automaton {
    states: Vec<State>,
    sets: Vec<Set>,
    /// It can only match from the beginning.
    anchored: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// One character, then the next state.
    Char(u32),
    /// One character of a set, then the next state.
    Set(usize),
    /// Nothing, at such a place, then the next state.
    Place(Place),
    /// Nothing, then either of these.
    Fork(usize, usize),
    Done,
}

impl Automaton {
    /// Compiles an expression into states, whose number is taken from `budget`.
    pub fn new(expression: &str, budget: &mut usize) -> Result<Self, CompileError> {
        let (node, sets) = syntax::parse(expression).map_err(|syntax::Malformed| CompileError::Malformed)?;
        let anchored = match &node {
            Node::Either(branches) => branches.iter().all(
                |branch| matches!(branch, Node::Sequence(items) if items.first() == Some(&Node::Place(Place::Start))),
            ),
            _ => false,
        };
        let mut compiler = Compiler { states: Vec::new(), budget };
        compiler.node(&node)?;
        compiler.push(State::Done)?;
        Ok(Self { states: compiler.states, sets, anchored })
    }

    /// Does the expression match anywhere in the text? Time is bounded by the number of states times the length.
    pub fn matches(&self, text: &str) -> bool {
        // In which round each state was last reached; within one, a state is followed once.
        let mut reached = vec![0_usize; self.states.len()];
        let (mut here, mut next) = (vec![0], Vec::new());
        let mut before = None;
        let mut chars = text.chars();
        for round in 1.. {
            let after = chars.next();
            if !self.anchored && round > 1 {
                here.push(0);
            }
            while let Some(at) = here.pop() {
                let (Some(state), Some(last)) = (self.states.get(at), reached.get_mut(at)) else { continue };
                if std::mem::replace(last, round) == round {
                    continue;
                }
                match *state {
                    State::Char(code) if after.is_some_and(|char| u32::from(char) == code) => next.push(at + 1),
                    State::Set(set) => {
                        let set = self.sets.get(set);
                        if after.zip(set).is_some_and(|(char, set)| set.contains(char)) {
                            next.push(at + 1);
                        }
                    }
                    State::Place(place) if place.is_between(before, after) => here.push(at + 1),
                    State::Fork(one, other) => here.extend([one, other]),
                    State::Done => return true,
                    State::Char(_) | State::Place(_) => {}
                }
            }
            if after.is_none() || (self.anchored && next.is_empty()) {
                break;
            }
            before = after;
            std::mem::swap(&mut here, &mut next);
        }
        false
    }
}

impl Place {
    fn is_between(self, before: Option<char>, after: Option<char>) -> bool {
        let word = |char: Option<char>| char.is_some_and(|char| char.is_ascii_alphanumeric() || char == '_');
        match self {
            Self::Start => before.is_none(),
            Self::End => after.is_none(),
            Self::WordEdge => word(before) != word(after),
            Self::NoWordEdge => word(before) == word(after),
        }
    }
}

struct Compiler<'a> {
    states: Vec<State>,
    budget: &'a mut usize,
}

impl Compiler<'_> {
    /// Adds a state and gives its number.
    fn push(&mut self, state: State) -> Result<usize, CompileError> {
        *self.budget = self.budget.checked_sub(1).ok_or(CompileError::TooLarge)?;
        self.states.push(state);
        Ok(self.states.len() - 1)
    }

    /// Adds a fork whose first way is the state after it; the second is set when it is known.
    fn fork(&mut self) -> Result<usize, CompileError> {
        let next = self.states.len() + 1;
        self.push(State::Fork(next, next))
    }

    /// Lets the second way of forks lead to the state that comes next.
    fn land(&mut self, forks: &[usize]) {
        let here = self.states.len();
        for fork in forks {
            if let Some(State::Fork(_, other)) = self.states.get_mut(*fork) {
                *other = here;
            }
        }
    }

    /// As deep as the tree, which is bounded.
    fn node(&mut self, node: &Node) -> Result<(), CompileError> {
        match node {
            Node::Char(code) => self.push(State::Char(*code)).map(drop),
            Node::Set(set) => self.push(State::Set(*set)).map(drop),
            Node::Place(place) => self.push(State::Place(*place)).map(drop),
            Node::Sequence(items) => items.iter().try_for_each(|item| self.node(item)),
            Node::Either(branches) => {
                let Some((last, others)) = branches.split_last() else { return Ok(()) };
                let mut ends = Vec::with_capacity(others.len());
                for branch in others {
                    let fork = self.fork()?;
                    self.node(branch)?;
                    ends.push(self.push(State::Fork(0, 0))?);
                    self.land(&[fork]);
                }
                self.node(last)?;
                let here = self.states.len();
                for end in ends {
                    if let Some(state) = self.states.get_mut(end) {
                        *state = State::Fork(here, here);
                    }
                }
                Ok(())
            }
            Node::Repeat(node, from, to) => {
                for _ in 0..*from {
                    self.node(node)?;
                }
                let Some(to) = to else {
                    let fork = self.fork()?;
                    self.node(node)?;
                    self.push(State::Fork(fork, fork))?;
                    self.land(&[fork]);
                    return Ok(());
                };
                let mut forks = Vec::new();
                for _ in *from..*to {
                    forks.push(self.fork()?);
                    self.node(node)?;
                }
                self.land(&forks);
                Ok(())
            }
        }
    }
}
