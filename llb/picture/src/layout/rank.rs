//! In which layer a unit stands.

/// The layer of each of `count` units, such that every edge goes to a higher layer. A unit stands as low as it can, but one
/// with more edges to what needs it than to what it needs stands as high as it can: so edges are short.
///
/// The edges must not form a cycle.
pub(super) fn layers(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut needs = vec![0_usize; count];
    for (from, to) in edges {
        users[*from].push(*to);
        needs[*to] += 1;
    }
    let mut open = needs.clone();
    let mut order: Vec<usize> = (0..count).filter(|unit| needs[*unit] == 0).collect();
    let mut layer = vec![0; count];
    let mut next = 0;
    while let Some(unit) = order.get(next).copied() {
        next += 1;
        for user in &users[unit] {
            layer[*user] = layer[*user].max(layer[unit] + 1);
            open[*user] -= 1;
            if open[*user] == 0 {
                order.push(*user);
            }
        }
    }
    for unit in order.iter().rev() {
        if users[*unit].len() > needs[*unit]
            && let Some(first) = users[*unit].iter().map(|user| layer[*user]).min()
        {
            layer[*unit] = first - 1;
        }
    }
    layer
}
