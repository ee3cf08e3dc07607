//! The places of the nodes of a graph without cycles, in columns, and its longest path. Pure.

/// The places of nodes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// The column and the row of each node, from 0.
    pub(super) places: Vec<(usize, usize)>,
    /// The nodes of the path with the largest sum of weights, from its begin to its end.
    pub(super) critical: Vec<usize>,
}

/// Lays out nodes with these weights and edges. An edge leads from an earlier column to a later
/// one. Edges that would close a cycle are ignored.
pub(super) fn lay_out(weights: &[u64], edges: &[(usize, usize)]) -> Layout {
    let order = topological_order(weights.len(), edges);
    let mut rank = vec![0; weights.len()];
    for (at, node) in order.iter().enumerate() {
        rank[*node] = at;
    }
    let forward: Vec<(usize, usize)> =
        edges.iter().copied().filter(|(from, to)| rank[*from] < rank[*to]).collect();
    let mut column = vec![0; weights.len()];
    let mut best: Vec<(u64, Option<usize>)> = weights.iter().map(|ms| (*ms, None)).collect();
    for node in &order {
        for (_, to) in forward.iter().filter(|(from, _)| from == node) {
            column[*to] = column[*to].max(column[*node] + 1);
            let through = best[*node].0 + weights[*to];
            if through > best[*to].0 || best[*to].1.is_none() && through == best[*to].0 {
                best[*to] = (through, Some(*node));
            }
        }
    }
    Layout { places: rows(&column, &forward), critical: longest(&best) }
}

/// Returns the nodes so that each comes after those from which edges lead to it, as far as there is
/// no cycle.
fn topological_order(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut missing = vec![0_usize; nodes];
    for (_, to) in edges {
        missing[*to] += 1;
    }
    let mut order: Vec<usize> = Vec::with_capacity(nodes);
    let mut placed = vec![false; nodes];
    while order.len() < nodes {
        let next = (0..nodes).find(|node| !placed[*node] && missing[*node] == 0);
        // In a cycle, the first node is as good as any.
        let next = next.or_else(|| (0..nodes).find(|node| !placed[*node]));
        let Some(next) = next else { break };
        placed[next] = true;
        order.push(next);
        for (_, to) in edges.iter().filter(|(from, _)| *from == next) {
            missing[*to] = missing[*to].saturating_sub(1);
        }
    }
    order
}

/// Returns the place of each node. In a column, nodes stand in the order of the mean row of those
/// before them, so that few edges cross.
fn rows(column: &[usize], edges: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut places = vec![(0, 0); column.len()];
    for wanted in 0..=column.iter().copied().max().unwrap_or(0) {
        let nodes = (0..column.len()).filter(|node| column[*node] == wanted);
        let mean = |node: &usize| {
            let before: Vec<usize> = edges
                .iter()
                .filter(|(from, to)| to == node && column[*from] < wanted)
                .map(|(from, _)| places[*from].1)
                .collect();
            before.iter().sum::<usize>() * 16 / before.len().max(1)
        };
        let mut nodes: Vec<(usize, usize)> = nodes.map(|node| (mean(&node), node)).collect();
        nodes.sort_unstable();
        for (row, (_, node)) in nodes.into_iter().enumerate() {
            places[node] = (wanted, row);
        }
    }
    places
}

fn longest(best: &[(u64, Option<usize>)]) -> Vec<usize> {
    let mut path = Vec::new();
    let end = best.iter().enumerate().filter(|(_, (sum, _))| *sum > 0);
    let mut at = end.max_by_key(|(_, (sum, _))| *sum).map(|(at, _)| at);
    while let Some(node) = at.filter(|_| path.len() < best.len()) {
        path.push(node);
        at = best[node].1;
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_stands_right_of_those_before_it_and_the_longest_path_is_found() {
        // 0 and 1 lead to 2; 2 leads to 3 and 4; 3 leads to 4.
        let edges = [(0, 2), (1, 2), (2, 3), (2, 4), (3, 4)];
        let layout = lay_out(&[5, 9, 1, 2, 4], &edges);
        assert_eq!(layout.places, [(0, 0), (0, 1), (1, 0), (2, 0), (3, 0)]);
        assert_eq!(layout.critical, [1, 2, 3, 4]);
    }

    #[test]
    fn edges_cross_rarely() {
        let layout = lay_out(&[1, 1, 1, 1], &[(0, 3), (1, 2)]);
        assert_eq!(layout.places, [(0, 0), (0, 1), (1, 1), (1, 0)]);
    }

    #[test]
    fn a_cycle_and_jobs_that_have_not_run_do_no_harm() {
        let layout = lay_out(&[0, 0, 0], &[(0, 1), (1, 2), (2, 0)]);
        assert_eq!(layout.places, [(0, 0), (1, 0), (2, 0)]);
        assert_eq!(layout.critical, [0_usize; 0]);
        assert_eq!(lay_out(&[], &[]), Layout { places: vec![], critical: vec![] });
    }
}
