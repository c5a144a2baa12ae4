//! Graphs: work described once, carried out many times.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::code::{Code, Outcome};
use super::event::Event;
use super::graph_memory::GraphMemory;
use super::machine::Machine;
use super::registry::fresh_handle;
use super::spec::{CopySpec, FillSpec};
use super::ticket::lock;
use super::transfer::Thread;

/// What a node does.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Copy(CopySpec),
    Fill(FillSpec),
    /// A function of the program and its argument, as addresses.
    Host {
        function: usize,
        data: usize,
    },
    Empty,
    Child(Arc<Graph>),
    Record(usize, Arc<Event>),
    Wait(usize, Arc<Event>),
    Allocate(Arc<GraphMemory>),
    /// Frees the memory that begins here.
    Free(usize),
}

/// A node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) action: Action,
    pub(crate) after: BTreeSet<usize>,
}

/// A graph; nodes are in the order of their making, by handle.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Mutex<BTreeMap<usize, Node>>,
}

impl Graph {
    /// Adds a node behind others of this graph.
    pub(crate) fn add(&self, action: Action, after: &[usize]) -> Outcome<usize> {
        let mut nodes = lock(&self.nodes);
        let after: BTreeSet<usize> = after.iter().copied().collect();
        if !after.iter().all(|node| nodes.contains_key(node)) {
            return Err(Code::INVALID_VALUE);
        }
        let handle = fresh_handle();
        nodes.insert(handle, Node { action, after });
        Ok(handle)
    }

    /// Adds (or removes) an edge.
    pub(crate) fn connect(&self, from: usize, to: usize, present: bool) -> Outcome {
        let mut nodes = lock(&self.nodes);
        if !nodes.contains_key(&from) || from == to {
            return Err(Code::INVALID_VALUE);
        }
        let node = nodes.get_mut(&to).ok_or(Code::INVALID_VALUE)?;
        let changed = if present {
            node.after.insert(from)
        } else {
            node.after.remove(&from)
        };
        if changed {
            Ok(())
        } else {
            Err(Code::INVALID_VALUE)
        }
    }

    pub(crate) fn remove(&self, handle: usize) -> Outcome {
        let mut nodes = lock(&self.nodes);
        nodes.remove(&handle).ok_or(Code::INVALID_VALUE)?;
        for node in nodes.values_mut() {
            node.after.remove(&handle);
        }
        Ok(())
    }

    /// A copy with nodes of its own.
    pub(crate) fn duplicate(&self) -> Self {
        let nodes = lock(&self.nodes);
        let names: BTreeMap<usize, usize> =
            nodes.keys().map(|&old| (old, fresh_handle())).collect();
        let copy = nodes.iter().filter_map(|(old, node)| {
            let after = node
                .after
                .iter()
                .filter_map(|old| names.get(old).copied())
                .collect();
            Some((
                *names.get(old)?,
                Node {
                    action: node.action.clone(),
                    after,
                },
            ))
        });
        Self {
            nodes: Mutex::new(copy.collect()),
        }
    }

    /// The nodes, each after those that it depends on, or an error where that goes round in a circle.
    pub(crate) fn sorted(&self) -> Outcome<Vec<(usize, Node)>> {
        let nodes = lock(&self.nodes);
        let mut waiting: BTreeMap<usize, BTreeSet<usize>> = nodes
            .iter()
            .map(|(&handle, node)| (handle, node.after.clone()))
            .collect();
        let mut order = Vec::with_capacity(nodes.len());
        while let Some(next) = waiting
            .iter()
            .find(|(_, after)| after.is_empty())
            .map(|(&handle, _)| handle)
        {
            waiting.remove(&next);
            for after in waiting.values_mut() {
                after.remove(&next);
            }
            order.extend(nodes.get(&next).map(|node| (next, node.clone())));
        }
        if waiting.is_empty() {
            Ok(order)
        } else {
            Err(Code::INVALID_VALUE)
        }
    }
}

/// A graph made ready.
#[derive(Debug)]
pub(crate) struct Executable {
    pub(crate) steps: Mutex<Vec<(usize, Node)>>,
}

impl Executable {
    pub(crate) fn new(graph: &Graph) -> Outcome<Self> {
        Ok(Self {
            steps: Mutex::new(graph.sorted()?),
        })
    }

    /// Carries everything out, on a worker's thread.
    pub(crate) fn run(&self, machine: &'static Machine) -> Outcome {
        let steps = lock(&self.steps).clone();
        run_all(&steps, machine)
    }
}

fn run_all(steps: &[(usize, Node)], machine: &'static Machine) -> Outcome {
    steps
        .iter()
        .try_for_each(|(_, node)| run_one(&node.action, machine))
}

fn run_one(action: &Action, machine: &'static Machine) -> Outcome {
    let broken = |_fault| Code::ILLEGAL_ADDRESS;
    match action {
        // What was checked when the node was made may have been freed since: then the copy engine faults.
        Action::Copy(spec) => match spec
            .resolve(machine)
            .map_err(|_gone| Code::ILLEGAL_ADDRESS)?
        {
            // Bad pageable memory kills the program here as well.
            Some(transfer) if transfer.dst.pageable || transfer.src.pageable => {
                transfer.run(Thread::Caller).map_err(broken)
            }
            Some(transfer) => transfer.run(Thread::Worker).map_err(broken),
            None => Ok(()),
        },
        Action::Fill(spec) => match spec
            .resolve(machine)
            .map_err(|_gone| Code::ILLEGAL_ADDRESS)?
        {
            Some(filling) => filling.run(Thread::Worker).map_err(broken),
            None => Ok(()),
        },
        Action::Host { function, data } => {
            super::thread::call_back(*function, *data);
            Ok(())
        }
        Action::Empty => Ok(()),
        Action::Child(graph) => run_all(&graph.sorted()?, machine),
        Action::Record(_, event) => {
            event.happen();
            Ok(())
        }
        Action::Wait(_, event) => event.wait(),
        Action::Allocate(memory) => {
            machine.space_mut().revive(&memory.object);
            Ok(())
        }
        Action::Free(base) => {
            // Somebody else may have freed it already, outside of the graph.
            let _gone = machine.space_mut().remove(*base);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_refused_and_order_is_kept() {
        let graph = Graph::default();
        let a = graph.add(Action::Empty, &[]).unwrap();
        let b = graph.add(Action::Empty, &[a]).unwrap();
        assert_eq!(
            graph
                .sorted()
                .unwrap()
                .iter()
                .map(|step| step.0)
                .collect::<Vec<_>>(),
            [a, b]
        );
        graph.connect(b, a, true).unwrap();
        assert_eq!(graph.sorted().unwrap_err(), Code::INVALID_VALUE);
        assert_eq!(graph.connect(b, a, true), Err(Code::INVALID_VALUE));
        graph.remove(b).unwrap();
        assert_eq!(graph.duplicate().sorted().unwrap().len(), 1);
    }
}
